from django.urls import path

from core.inbox import views

urlpatterns = [
    path("", views.inbox, name="inbox"),
    path("<slug:key>/", views.inbox_mail, name="inbox_mail"),
    path("<slug:key>/content/", views.inbox_content, name="inbox_content"),
]
