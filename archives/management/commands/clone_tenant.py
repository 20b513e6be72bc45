"""manage.py clone_tenant"""

from argparse import ArgumentParser
from typing import Any

from archives.management.restored import report_restored
from archives.services.imports import request_clone
from core.actors import SYSTEM
from core.commands import TeachingCommand
from tenants.management.following import add_following_arguments, follow
from tenants.selectors import get_tenant

DESCRIPTION = """\
Makes a copy of a tenant under a new slug: rows of one moment, files, members with their passwords. The tenant itself
works on. With --mask names, addresses, passwords and other texts that people wrote are replaced and files left out, so
that the copy can be given to somebody who may not see them.
"""
EPILOG = """\
examples
  manage.py clone_tenant acme-corp acme-rehearsal --reason 'Upgrade rehearsal'
  manage.py clone_tenant acme-corp acme-test --reason Support --mask --admin-email me@plexica.example

exit codes
  0  copied      1  it failed, and nothing is left; or it still goes on when --timeout is over
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="the tenant to copy")
        parser.add_argument("new_slug", help="the copy's slug")
        parser.add_argument("--reason", default="", help="kept in the audit log; needed")
        parser.add_argument("--name", default="", help="the copy's name")
        parser.add_argument("--mask", action="store_true", help="replace what says anything about people")
        parser.add_argument("--admin-email", default="", help="with --mask: who gets the link to sign in")
        add_following_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        operation = request_clone(
            tenant_id=get_tenant(options["slug"]).pk,
            slug=options["new_slug"],
            name=options["name"],
            masked=options["mask"],
            admin_email=options["admin_email"],
            actor=SYSTEM,
            reason=options["reason"],
        )
        operation = follow(operation.pk, here=options["here"], timeout_s=options["timeout"], quiet=options["json"])
        report_restored(self, operation, verb="copied", as_json=options["json"])
