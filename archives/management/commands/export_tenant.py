"""manage.py export_tenant"""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from archives.management.taking import STDOUT, refuse_taken, take_copy
from archives.models import Archive
from archives.services.exports import request_export
from core.actors import SYSTEM
from core.commands import TeachingCommand
from tenants.management.following import add_following_arguments, explain_stuck, follow, print_json
from tenants.models import Operation
from tenants.selectors import get_tenant

DESCRIPTION = """\
Writes everything of a tenant into one archive: rows of one moment as JSON Lines, files, members and audit log as CSV,
and checksums. It is read back and compared, and kept on the platform for a while (the setting export_keep_days); with
--output a copy is written, too. The tenant works on.
"""
EPILOG = """\
examples
  manage.py export_tenant acme-corp --reason 'Their request of 3 May' --output acme.tar.gz
  manage.py export_tenant acme-corp --reason Nightly --output - | age -r KEY > acme.age
  manage.py export_tenant acme-corp --reason 'For the test system' --mask

exit codes
  0  written      1  it failed, or it still goes on when --timeout is over
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--reason", default="", help="kept in the audit log; needed")
        parser.add_argument("--output", default="", metavar="FILE", help="where a copy goes; - is standard output")
        parser.add_argument(
            "--mask", action="store_true", help="replace names, addresses and texts that people wrote; leave files out"
        )
        add_following_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        output = options["output"]
        if output == STDOUT and options["json"]:
            raise CommandError("Standard output takes the archive or the JSON object, not both.")
        refuse_taken(output)
        operation = request_export(
            tenant_id=get_tenant(options["slug"]).pk, actor=SYSTEM, reason=options["reason"], masked=options["mask"]
        )
        quiet = options["json"] or output == STDOUT
        operation = follow(operation.pk, here=options["here"], timeout_s=options["timeout"], quiet=quiet)
        archive = Archive.objects.get(operation=operation)
        if operation.status == Operation.Status.SUCCEEDED and output:
            take_copy(archive.pk, output)
        self._report(operation, archive, output, as_json=options["json"])

    def _report(self, operation: Operation, archive: Archive, output: str, *, as_json: bool) -> None:
        slug = operation.tenant.slug
        if as_json:
            facts = {
                "archive": str(archive.pk),
                "bytes": archive.size_bytes,
                "sha256": archive.sha256,
                "rows": archive.row_count,
                "files": archive.file_count,
                "kept_until": archive.kept_until.isoformat(),
            }
            print_json(self, operation, **facts, output=output)
        if operation.status != Operation.Status.SUCCEEDED:
            raise CommandError(f"{slug} was not exported: {operation.error}{explain_stuck(operation)}")
        if not as_json:
            out = sys.stderr if output == STDOUT else self.stdout
            where = f" A copy is in {output}." if output and output != STDOUT else ""
            out.write(
                f"{slug}: {archive.size_bytes:,} bytes with {archive.row_count:,} rows and {archive.file_count:,} files,"
                f" SHA-256 {archive.sha256}, kept until {archive.kept_until:%Y-%m-%d}.{where}\n"
            )
