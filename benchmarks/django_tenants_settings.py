"""The same apps and the same database under django-tenants as it comes: its backend, router and commands."""

from benchmarks.settings import *  # noqa: F403
from benchmarks.settings import DATABASES, INSTALLED_APPS
from core.tenancy.names import OWNER_ROLE

INSTALLED_APPS = [
    "django_tenants",
    *INSTALLED_APPS,
]  # before ours: its migrate_schemas, not the one that calls the engine
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
_login = dict(DATABASES["ops"])
_login.pop("TENANCY")
_login["ENGINE"] = "django_tenants.postgresql_backend"
_login["OPTIONS"] = {"options": f"-c TimeZone=UTC -c role={OWNER_ROLE}"}
DATABASES = {"default": _login}
