"""manage.py move_realm"""

import json
from argparse import ArgumentParser
from typing import Any

from accounts.identity.moving import move_realm
from core.actors import SYSTEM
from core.commands import TeachingCommand
from tenants.selectors import get_tenant

DESCRIPTION = """\
Moves a tenant's realm: to a Keycloak of PLEXICA_KEYCLOAK_SERVERS, to another one, or back to the built-in issuer. People
keep their accounts, roles and history, and have to sign in again. Passwords come along from the built-in issuer to
Keycloak; the other way nobody can read them, and people get a link to set one. So do authenticator apps, without their
recovery codes; the other way, and between Keycloaks, who had one sets it up again at the next sign-in.
"""
EPILOG = """\
examples
  manage.py move_realm acme-corp --to eu-1
  manage.py move_realm acme-corp --to builtin

A move that was cut off is begun anew by the same words. Programs' API clients need a new secret each.
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("tenant", help="the tenant's slug")
        parser.add_argument("--to", required=True, help="builtin, or the name of a Keycloak in the settings")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        moved = move_realm(tenant=get_tenant(options["tenant"]), to=options["to"], actor=SYSTEM)
        if options["json"]:
            said = {"issuer": moved.issuer, "kept": moved.kept, "invited": moved.invited}
            said |= {"codes_kept": moved.codes_kept, "codes_anew": moved.codes_anew, "programs": moved.programs}
            self.stdout.write(json.dumps(said))
            return
        self.stdout.write(f"The issuer is {moved.issuer}")
        self.stdout.write(f"{len(moved.kept)} people keep their password, {len(moved.invited)} got a link to set one.")
        if moved.codes_kept or moved.codes_anew:
            self.stdout.write(
                f"{len(moved.codes_kept)} keep their authenticator app, without recovery codes;"
                f" {len(moved.codes_anew)} set one up again when they sign in."
            )
        if moved.programs:
            self.stdout.write(f"Need a new secret: {', '.join(moved.programs)}")
