"""manage.py setup_keycloak"""

import json
import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from accounts.identity.keycloak.setup import Administrator, Note, set_up_server
from core.commands import TeachingCommand
from core.errors import PlexicaError, Rejected

DESCRIPTION = """\
Prepares a Keycloak of PLEXICA_KEYCLOAK_SERVERS: makes the client that makes realms, gives it that right and no other,
and looks at version, memory, theme and caches. Says what it changed. Safe to repeat.
"""
EPILOG = """\
The server's administrator is asked for once, here: PLEXICA_KEYCLOAK_ADMIN_USER and PLEXICA_KEYCLOAK_ADMIN_PASSWORD in
the environment of this command. No other process needs them.

examples
  manage.py setup_keycloak                                     every server of the settings
  manage.py setup_keycloak eu-1 --management-url http://eu-1:9000

exit codes
  0  prepared, nothing to complain of      1  prepared with warnings      2  not prepared
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("server", nargs="?", default="", help="its name in the settings; all of them without")
        parser.add_argument("--management-url", default="", help="where its /metrics are, to look at cache sizes")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = [options["server"]] if options["server"] else list(settings.KEYCLOAK_SERVERS)
        if not wanted or any(name not in settings.KEYCLOAK_SERVERS for name in wanted):
            raise CommandError("PLEXICA_KEYCLOAK_SERVERS names no such server.", returncode=2)
        notes = {name: self._set_up(name, options["management_url"]) for name in wanted}
        if options["json"]:
            said = {name: [{"level": note.level, "says": note.says} for note in each] for name, each in notes.items()}
            self.stdout.write(json.dumps(said))
        else:
            for name, each in notes.items():
                for note in each:
                    self.stdout.write(f"{name}  {note.level:8} {note.says}")
        if any(note.level == "warn" for each in notes.values() for note in each):
            raise CommandError("Prepared, with warnings.", returncode=1)

    def _set_up(self, name: str, management_url: str) -> list[Note]:
        user = os.environ.get("PLEXICA_KEYCLOAK_ADMIN_USER", "admin")
        password = os.environ.get("PLEXICA_KEYCLOAK_ADMIN_PASSWORD", "")
        try:
            admin = Administrator.sign_in(settings.KEYCLOAK_SERVERS[name], user, password)
            return list(set_up_server(admin, management_url=management_url))
        except PlexicaError as error:
            said = error.facts.get("said", "") if isinstance(error, Rejected) else ""
            raise CommandError(f"{name}: {error.title}. {said}".strip(), returncode=2) from None
