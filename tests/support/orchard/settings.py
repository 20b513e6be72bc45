"""The product's settings with the orchard among the tenants' apps, for processes that tests start."""

import os
import sys

from plexica.settings import *  # noqa: F403
from plexica.settings import INSTALLED_APPS, TENANT_APPS

ORCHARD = "tests.support.orchard"
sys.path.insert(0, os.environ["ORCHARD_FOLDER"])
INSTALLED_APPS = [*INSTALLED_APPS, ORCHARD]
TENANT_APPS = [*TENANT_APPS, ORCHARD]
MIGRATION_MODULES = {"orchard": os.environ["ORCHARD_MIGRATIONS"]}
