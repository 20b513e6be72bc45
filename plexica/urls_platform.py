"""Addresses of the platform's own host."""

from django.conf import settings
from django.urls import include, path

from plexica.urls_common import handler400, handler403, handler404, handler500
from plexica.urls_common import urlpatterns as common
from superadmin.views.home import home

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [
    path("", home, name="home"),
    path("console/", include("superadmin.urls")),
    path("api/v1/", include("superadmin.api.urls")),
    *common,
]
if settings.SHOW_INBOX:
    urlpatterns.append(path("inbox/", include("core.inbox.urls")))
