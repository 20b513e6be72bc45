"""Says what became of a tenant that was made of an archive."""

from django.core.management.base import BaseCommand, CommandError

from tenants.directory import address_of
from tenants.management.following import explain_stuck, print_json
from tenants.models import Operation


def report_restored(command: BaseCommand, operation: Operation, *, verb: str, as_json: bool) -> None:
    """Print where the new tenant is, or raise CommandError."""
    slug = operation.tenant.slug
    if as_json:
        print_json(command, operation, tenant=str(operation.tenant_id), address=address_of(slug))
    if operation.status != Operation.Status.SUCCEEDED:
        raise CommandError(f"{slug} was not {verb}: {operation.error}{explain_stuck(operation)}")
    if not as_json:
        command.stdout.write(f"{slug} is {verb} and ready at {address_of(slug)}.")
