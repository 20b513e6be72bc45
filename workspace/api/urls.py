from django.urls import path

from workspace.api import views

urlpatterns = [path("me/", views.Me.as_view(), name="api_me")]
