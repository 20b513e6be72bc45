"""Addresses of a tenant's host."""

from django.urls import include, path

from plexica.urls_common import handler400, handler403, handler404, handler500
from plexica.urls_common import urlpatterns as common

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("", include("workspace.urls")),
    path("files/", include("storage.urls")),
    path("api/v1/", include("workspace.api.urls")),
    *common,
]
