"""manage.py delete_tenant"""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from core.actors import SYSTEM
from core.commands import TeachingCommand
from tenants.management.following import add_following_arguments, explain_stuck, follow, print_json
from tenants.models import Operation, Tenant
from tenants.selectors import get_tenant
from tenants.services.deletion import delete_now, request_deletion, undo_deletion

DESCRIPTION = """\
Deletes a tenant with everything it owns: stopped at once, carried out after the grace period, and proved by looking.
Until it begins, --undo calls it off. With --now it begins at once, also if it waits already, and this command shows the
steps.
"""
EPILOG = """\
examples
  manage.py delete_tenant acme-corp --confirm acme-corp --reason 'Contract ended' --export
  manage.py delete_tenant acme-corp --undo
  manage.py delete_tenant acme-corp --confirm acme-corp --reason 'Their request of 3 May' --now

exit codes
  0  it waits for its time, or it is gone      1  refused, something is left, or it goes on when --timeout is over
"""


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--confirm", metavar="SLUG", help="the slug once more; asked for on a terminal without it")
        parser.add_argument("--reason", default="", help="kept in the audit log; needed but for --undo")
        group = parser.add_mutually_exclusive_group()
        group.add_argument("--now", action="store_true", help="do not wait for the grace period")
        group.add_argument("--undo", action="store_true", help="call a deletion off that has not begun")
        parser.add_argument("--export", action="store_true", help="export everything first")
        add_following_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = get_tenant(options["slug"])
        if options["undo"]:
            self._undo(tenant, options)
        else:
            self._delete(tenant, options)

    def _undo(self, tenant: Tenant, options: dict[str, Any]) -> None:
        tenant = undo_deletion(tenant_id=tenant.pk, actor=SYSTEM, reason=options["reason"])
        if options["json"]:
            body = {"slug": tenant.slug, "status": tenant.status, "version": tenant.version}
            self.stdout.write(json.dumps(body))
        else:
            self.stdout.write(f"{tenant.slug} is {tenant.status} again.")

    def _delete(self, tenant: Tenant, options: dict[str, Any]) -> None:
        said = {
            "tenant_id": tenant.pk,
            "typed_slug": options["confirm"] if options["confirm"] is not None else self._ask(tenant),
            "reason": options["reason"],
            "actor": SYSTEM,
        }
        if options["now"] and tenant.status == Tenant.Status.DELETING:
            operation = delete_now(**said)
        else:
            operation = request_deletion(**said, now=options["now"], export=options["export"])
        if options["now"]:
            operation = follow(operation.pk, here=options["here"], timeout_s=options["timeout"], quiet=options["json"])
        self._report(operation, now=options["now"], as_json=options["json"])

    def _ask(self, tenant: Tenant) -> str:
        if not sys.stdin.isatty():
            raise CommandError(f"Type the slug once more: --confirm {tenant.slug}")
        return input(f"{tenant.name} is deleted for good. Type {tenant.slug} to confirm: ")

    def _report(self, operation: Operation, *, now: bool, as_json: bool) -> None:
        slug = operation.tenant.slug
        if as_json:
            print_json(self, operation, due_at=operation.due_at.isoformat(), facts=operation.facts)
        if now and operation.status != Operation.Status.SUCCEEDED:
            raise CommandError(f"{slug} is not deleted yet: {operation.error}{explain_stuck(operation)}")
        if as_json:
            return
        if now:
            self.stdout.write(f"{slug} is deleted; of {len(operation.facts['left'])} kinds of things nothing is left.")
        else:
            self.stdout.write(
                f"{slug} is stopped, and will be deleted from {operation.due_at:%Y-%m-%d %H:%M} UTC on."
                f" To call it off: manage.py delete_tenant {slug} --undo"
            )
