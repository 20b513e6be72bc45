"""manage.py import_tenant"""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from archives.management.restored import report_restored
from archives.management.taking import STDOUT
from archives.services.imports import import_archive
from core.actors import SYSTEM
from core.commands import TeachingCommand
from tenants.management.following import add_following_arguments, follow
from tenants.models import Operation

DESCRIPTION = """\
Makes a new tenant of an archive that export_tenant wrote: rows, files, members with their passwords. The archive is
checked before anything is made; one that is damaged, was tampered with, or is of a version that this installation never
had is refused. Links, sessions and tokens do not travel: people sign in again.
"""
EPILOG = """\
examples
  manage.py import_tenant acme.tar.gz
  manage.py import_tenant acme.tar.gz --slug acme-copy --name 'Acme (copy)'
  age -d -i KEY acme.age | manage.py import_tenant -

exit codes
  0  made      1  refused or failed, and nothing is left; or it still goes on when --timeout is over
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the archive; - is standard input")
        parser.add_argument("--slug", default="", help="its new slug (default: the one it had)")
        parser.add_argument("--name", default="", help="its new name (default: the one it had)")
        parser.add_argument(
            "--admin-email", default="", help="first administrator of a masked archive, in which nobody can sign in"
        )
        add_following_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        operation = self._import(options)
        operation = follow(operation.pk, here=options["here"], timeout_s=options["timeout"], quiet=options["json"])
        report_restored(self, operation, verb="imported", as_json=options["json"])

    def _import(self, options: dict[str, Any]) -> Operation:
        wanted = {name: options[name] for name in ("slug", "name", "admin_email")}
        if options["file"] == STDOUT:
            return import_archive(source=sys.stdin.buffer, actor=SYSTEM, **wanted)
        try:
            with Path(options["file"]).open("rb") as source:
                return import_archive(source=source, actor=SYSTEM, **wanted)
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}") from None
