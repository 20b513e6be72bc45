"""Plain Django with its own permissions and django-guardian as its manual sets it up, over the same pool."""

from benchmarks.plain.settings import *  # noqa: F403
from benchmarks.plain.settings import INSTALLED_APPS

INSTALLED_APPS = [app for app in INSTALLED_APPS if not app.startswith("benchmarks.")] + [
    "guardian",
    "benchmarks.django_permissions.apps.DjangoPermissions",
]
AUTH_USER_MODEL = "auth.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "guardian.backends.ObjectPermissionBackend"]
