"""The product's settings, and one more app of tenants whose second migration may be hidden: BENCH_SHOP=first."""

import os

from plexica.settings import *  # noqa: F403
from plexica.settings import INSTALLED_APPS, PERMISSIONS, TENANT_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.shop"]
TENANT_APPS = [*TENANT_APPS, "benchmarks.shop"]
EVENT_HANDLERS = ["benchmarks.event_handlers"]
PERMISSIONS = [*PERMISSIONS, "benchmarks.django_permissions.keys.REGISTERED"]
MIGRATION_MODULES = {"shop": f"benchmarks.shop.{os.environ.get('BENCH_SHOP', 'first')}"}
