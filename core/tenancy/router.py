"""Which tables may be made where: an app is the platform's, a tenant's, or on the short list of both."""

from functools import cache
from typing import Any

from django.apps import apps
from django.conf import settings

from core.tenancy import context


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
    """Lets migrations make a table only where it belongs, and only over the operations login."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """Say whether tables of `app_label` belong into the schema that the context points to."""
        labels = tenant_labels() if context.current() else platform_labels()
        return db == "ops" and app_label in labels
