from django.urls import path

from storage.views import file_read

urlpatterns = [path("<str:token>/", file_read, name="file_read")]
