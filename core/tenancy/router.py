"""Which tables may be made where, and to whom a loaded object belongs.

An app is a tenant's, the platform's, or on the short list of both. An object remembers in `_state.db` in which context it
was loaded. Kept in a process's memory and used inside another tenant, it is refused: `save()` would find no row to
update there, and insert a copy.
"""

from functools import cache, lru_cache
from typing import Any
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, models

from core.tenancy import context


class ForeignObject(RuntimeError):
    """An object that was loaded inside one tenant is used inside another, or on the platform."""


class _Alias(str):
    """The alias `default`, and the tenant for which it was used."""

    __slots__ = ("tenant_id",)
    tenant_id: UUID | None


@lru_cache(maxsize=20_000)
def _alias_for(tenant_id: UUID | None) -> _Alias:
    alias = _Alias(DEFAULT_DB_ALIAS)
    alias.tenant_id = tenant_id
    return alias


def _here() -> _Alias:
    ref = context.current()
    return _alias_for(ref.id if ref else None)


@cache
def platform_labels() -> frozenset[str]:
    """Return the labels of the apps whose tables stand in `public`."""
    return _labels(settings.SHARED_APPS)


@cache
def tenant_labels() -> frozenset[str]:
    """Return the labels of the apps whose tables stand in every tenant's schema."""
    return _labels(settings.TENANT_APPS)


def _labels(names: list[str]) -> frozenset[str]:
    return frozenset(config.label for config in apps.get_app_configs() if config.name in names)


class SchemaRouter:
    """Lets migrations make a table only where it belongs, and an object be used only where it was loaded."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """Say whether tables of `app_label` belong into the schema that the context points to.

        Inside a tenant `default` has them too: `dumpdata` and `loaddata` ask this before they read or write a row. No
        table is made there: its cursors refuse CREATE, and the tenant's role may not.
        """
        if context.current():
            return app_label in tenant_labels()
        return db == "ops" and app_label in platform_labels()

    def db_for_read(self, model: type[models.Model], instance: models.Model | None = None, **hints: Any) -> str | None:
        """Return `default`, with the current tenant on it. Raises ForeignObject for relations of a foreign object."""
        return _checked(instance)

    def db_for_write(self, model: type[models.Model], instance: models.Model | None = None, **hints: Any) -> str | None:
        """Return `default`, with the current tenant on it. Raises ForeignObject if the object is foreign here."""
        return _checked(instance)

    def allow_relation(self, obj1: models.Model, obj2: models.Model, **hints: Any) -> bool | None:
        """Refuse to join objects of two tenants."""
        one, other = (getattr(found._state.db, "tenant_id", None) for found in (obj1, obj2))
        return None if one == other or not (obj1._state.db and obj2._state.db) else False


def _checked(instance: models.Model | None) -> str | None:
    here = _here()
    if instance is None or instance._state.db is None:
        return here
    home = instance._state.db
    if not isinstance(home, _Alias):
        return None  # loaded over a named alias: Django goes on with that one
    if home.tenant_id != here.tenant_id:
        raise ForeignObject(f"this {instance._meta.label} was loaded elsewhere: load it again where you need it")
    return here
