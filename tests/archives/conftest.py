"""A tenant with everything that an archive carries, and what compares two tenants with SQL."""

import io
import secrets

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction

from accounts.identity import provider
from accounts.identity.realms import current_realm
from accounts.people.models import Role
from accounts.people.services import add_person
from archives import content, place
from archives.models import Archive
from archives.services.exports import request_export
from archives.services.imports import import_archive, request_clone
from core import audit
from core.actors import SYSTEM
from core.tenancy import enter
from events.webhooks.services import make_webhook, rotate_secret, send_test
from tenants.models import Operation, Tenant
from tenants.selectors import get_operation
from tenants.services import work
from tenants.services.work import run_operation
from tests.support import people
from tests.support.raw import superuser

PASSWORD = "plain words for archives 9"
FILES = {
    "notes/Grüße aus Köln – 1.txt": "Grüße\n".encode(),
    "empty": b"",
    "deep/" + "long-" * 40 + "/" + "x" * 200: bytes(range(256)),
    "photo.bin": secrets.token_bytes(300_000),
}


@pytest.fixture
def filled(new_tenant):
    """A tenant with people, roles, an audit log of awkward values, and files."""
    tenant = new_tenant(name="Söderström & Zoë", admin_name="Wilhelmina Ångström", time_zone="Europe/Rome")
    fill(tenant)
    yield tenant
    give_up(tenant)


def fill(tenant):
    account = provider().make_account(tenant.ref, email="benedetta@people.example", name="Benedetta Quarantotto")
    provider().set_password(tenant.ref, subject=account.subject, password=PASSWORD)
    with enter(tenant.ref), transaction.atomic():
        person = add_person(
            realm=current_realm(),
            subject=account.subject,
            email="benedetta@people.example",
            name="Benedetta Quarantotto",
            role="user",
        )
        Role.objects.create(name="quarantotto-helpers", label="Helpers of Quarantotto", permissions=["a.b", 'c"d,{e}'])
        audit.record(
            actor=person.actor,
            action="member.updated",
            target=person,
            reason='Quarantotto said: "=1+1", \\ and\nnew line \u2028 🦆 \x01 \\N \t',
            null=None,
            nested={"a": [1.10, None, True, "Quarantotto", 12345678901234567890123], "b": {}},
        )
        audit.record(actor=SYSTEM, action="member.added", reason="=HYPERLINK(1)")
        with connection.cursor() as cursor:  # what no service writes, and rows may hold
            cursor.execute(
                "INSERT INTO audit_entry (occurred_at, actor_kind, actor_name, action, target_label, target_name,"
                " reason, facts, request_id) VALUES ('2019-01-31 23:59:59.999999+00', 'x', '', 'y', '', '', '',"
                " 'null'::jsonb, ''), ('2019-02-01', 'x', '', 'y', '', '', '', '[1.50, 1e400]', '')"
            )
            cursor.execute("UPDATE people_roleassignment SET assigned_at = 'infinity'")
            cursor.execute("UPDATE preferences_preferences SET brand_roundness = 0.1::float8 + 0.2::float8")
    with enter(tenant.ref):
        made = make_webhook(url="https://quarantotto.example/hook", events=["plexica.member.*"], actor=SYSTEM)
        rotate_secret(webhook_id=made.webhook.pk, actor=SYSTEM)
        send_test(webhook_id=made.webhook.pk, actor=SYSTEM)
        for name, data in FILES.items():
            default_storage.save(name, ContentFile(data))


@pytest.fixture
def quick(monkeypatch):
    """Retries are due at once."""
    monkeypatch.setattr(work, "BACKOFF_S", (-1.0,))


@pytest.fixture
def made(committed):
    """Takes tenants that tests made away again."""
    tenants = []
    yield tenants
    for tenant in tenants:
        give_up(tenant)
        people.remove(tenant)


def give_up(tenant):
    Operation.objects.filter(tenant=tenant, status__in=Operation.ACTIVE).update(status=Operation.Status.FAILED)


def go(operation):
    """Run the operation as often as it is due."""
    for _ in range(60):
        if not run_operation(operation.pk):
            break
    return get_operation(operation.pk)


def export(tenant, **more):
    """Export a tenant and return the archive and its bytes."""
    ended = go(request_export(tenant_id=tenant.pk, actor=SYSTEM, reason="a test", **more))
    assert ended.status == Operation.Status.SUCCEEDED, ended.error
    archive = Archive.objects.get(operation=ended)
    with place.reading(archive) as source:
        return archive, source.read()


@pytest.fixture
def restore(made):
    """Imports bytes under a slug that nobody had; returns the operation when it has ended."""

    def give(data, **wanted):
        wanted = {"slug": f"im-{secrets.token_hex(5)}", **wanted}
        operation = import_archive(source=io.BytesIO(data), actor=SYSTEM, **wanted)
        made.append(operation.tenant)
        return go(operation)

    return give


@pytest.fixture
def clone(made):
    """Asks for a copy; returns the operation."""

    def give(tenant, **wanted):
        wanted = {"slug": f"cl-{secrets.token_hex(5)}", "reason": "a test", **wanted}
        operation = request_clone(tenant_id=tenant.pk, actor=SYSTEM, **wanted)
        made.append(operation.tenant)
        return operation

    return give


def rows_of(tenant, table, without=()):
    """All rows of a table, as PostgreSQL writes them."""
    dropped = "".join(f" - '{column}'" for column in without)
    with superuser() as db:
        query = f'SELECT (to_jsonb(t){dropped})::text || t::text FROM {tenant.schema_name}."{table}" t ORDER BY 1'
        if without:
            query = f'SELECT (to_jsonb(t){dropped})::text FROM {tenant.schema_name}."{table}" t ORDER BY 1'
        return [row for (row,) in db.execute(query)]


def files_of(tenant):
    with enter(tenant.ref):
        return {name: default_storage.open(name).read() for name in content.list_files()}


def text_of(tenant):
    """Everything that stands in a tenant's schema, as one text."""
    with superuser() as db:
        tables = db.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p')",
            [tenant.schema_name],
        ).fetchall()
        return "\n".join(
            str(row)
            for (table,) in tables
            for row in db.execute(f'SELECT t::text FROM {tenant.schema_name}."{table}" t')
        )


def status_of(tenant):
    return Tenant.objects.get(pk=tenant.pk).status
