"""manage.py rotate_bucket_key"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from core.actors import SYSTEM
from core.commands import TeachingCommand
from storage.keys.services import ensure_key, has_key, rotate_key
from tenants.models import Tenant
from tenants.selectors import get_tenant

DESCRIPTION = """\
Replaces the key to a tenant's bucket: after a leak, or from time to time. Every process uses the new one from its next
call on; transfers under way break off. With --missing it makes keys for tenants that have none, and may be repeated.
"""
EPILOG = """\
examples
  manage.py rotate_bucket_key acme-corp
  manage.py rotate_bucket_key --missing      after a database was restored, for example
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", nargs="?")
        parser.add_argument("--missing", action="store_true", help="all tenants without a key that is known")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        slug, missing = options["slug"], options["missing"]
        if bool(slug) == missing:
            raise CommandError("Name one tenant, or give --missing.")
        done = self._make_missing() if missing else self._rotate(get_tenant(slug))
        if options["json"]:
            self.stdout.write(json.dumps({"tenants": done}))
        else:
            self.stdout.write("\n".join(f"{name} has a new key." for name in done) or "No key was made.")

    def _rotate(self, tenant: Tenant) -> list[str]:
        return [tenant.slug] if rotate_key(ref=tenant.ref, actor=SYSTEM) else []

    def _make_missing(self) -> list[str]:
        done = []
        for tenant in Tenant.objects.filter(status__in=Tenant.IN_USE).order_by("slug"):
            if not has_key(tenant.ref):
                ensure_key(tenant.ref)
                done.append(tenant.slug)
        return done
