"""manage.py rotate_realm_keys"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from accounts.identity.builtin.rotation import Rotation, rotate_keys
from core.commands import TeachingCommand
from core.tenancy import enter
from tenants.rounds import visit_tenants
from tenants.selectors import get_tenant

DESCRIPTION = """\
Gives realms at the built-in issuer a new key to sign with. It is announced first and signs a few minutes later, when
every verifier knows it; tokens of the old one stay good to their end. Without a slug, every tenant's. Safe to repeat:
while a key is announced, no other is made. A job does the same every PLEXICA_KEY_ROTATION_DAYS. Keycloak rotates the
keys of its realms itself.
"""
EPILOG = """\
examples
  manage.py rotate_realm_keys                        every tenant's
  manage.py rotate_realm_keys acme-corp              this one's
  manage.py rotate_realm_keys acme-corp --now        it leaked: what the old key signed is refused from now on
  manage.py rotate_realm_keys --platform             the operators'
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", nargs="?")
        parser.add_argument("--platform", action="store_true", help="the operators' realm instead")
        parser.add_argument(
            "--now",
            action="store_true",
            help="a key leaked: sign with the new one now, and refuse what the old one signed",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object for each realm")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["slug"] and options["platform"]:
            raise CommandError("Name one tenant, or give --platform.")

        def one(name: str) -> None:
            self._say(name, rotate_keys(at_once=options["now"]), as_json=options["json"])

        if options["platform"]:
            one("the platform")
        elif options["slug"]:
            tenant = get_tenant(options["slug"])
            with enter(tenant.ref):
                one(tenant.slug)
        else:
            visit_tenants(lambda tenant: one(tenant.slug))

    def _say(self, name: str, rotation: Rotation | None, *, as_json: bool) -> None:
        if as_json:
            facts = {"kid": rotation.kid, "signs_from": rotation.signs_from.isoformat()} if rotation else {"kid": None}
            self.stdout.write(json.dumps({"realm": name, **facts}))
        elif rotation:
            self.stdout.write(f"{name}: {rotation.kid} signs from {rotation.signs_from:%Y-%m-%d %H:%M:%S} UTC on")
        else:
            self.stdout.write(f"{name}: a new key is announced already, or the realm is at Keycloak")
