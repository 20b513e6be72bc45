"""Asking for a tenant: everything or nothing, and one clear refusal."""

import secrets
from uuid import UUID, uuid4

import pytest
from django.conf import settings

from core.actors import Actor
from core.audit.models import AuditEntry
from core.errors import Invalid
from core.idempotency.services import IdempotencyConflict, IdempotentCall
from core.tenancy import enter
from events.outbox.models import OutboxMessage
from storage.buckets import bucket_exists
from tenants.errors import LinkAlreadyShown, SlugTaken
from tenants.models import Domain, Operation, Tenant
from tenants.schemas.making import existing_objects
from tenants.services.provisioning import claim_first_admin_link, request_tenant
from tenants.steps import tenant_steps
from tests.support.threads import run_together

WHO = Actor(kind="operator", id=uuid4(), name="Jonas Weil")


def ask(slug, **values):
    return request_tenant(slug=slug, actor=WHO, **{"name": "Fresh", "admin_email": "a@fresh.example", **values})


def test_asking_writes_rows_and_nothing_else(db):
    operation = ask("fresh-one", language="it", time_zone="Europe/Rome")

    tenant = operation.tenant
    assert (tenant.status, operation.status) == (Tenant.Status.PROVISIONING, Operation.Status.PENDING)
    assert [step.key for step in operation.steps.all()] == [step.key for step in tenant_steps()]
    assert list(tenant.domains.values_list("domain", flat=True)) == ["fresh-one"]
    entry = AuditEntry.objects.get(action="tenant.requested", target_id=tenant.pk)
    assert (entry.actor_id, entry.target_name) == (WHO.id, "fresh-one")
    assert OutboxMessage.objects.filter(name="plexica.tenant.requested", tenant_id=tenant.pk).count() == 1


def test_names_of_what_a_tenant_owns_come_from_its_id_alone(db):
    tenant = ask("fresh-one").tenant

    for name in (tenant.schema_name, tenant.role_name, tenant.bucket_name):
        assert "fresh" not in name


BAD = [
    ("slug", "ab"),
    ("slug", "x" * 49),
    ("slug", "Fresh"),
    ("slug", "fresh one"),
    ("slug", "frésh"),
    ("slug", "../fresh"),
    ("slug", "fresh'; DROP TABLE tenants_tenant; --"),
    ("slug", "admin"),
    ("name", ""),
    ("name", "   "),
    ("name", "x" * 121),
    ("name", "a\x00b"),
    ("name", "a\nb"),
    ("name", "a\u202eb"),
    ("admin_email", ""),
    ("admin_email", "nobody"),
    ("admin_email", "a@b"),
    ("admin_email", "a b@fresh.example"),
    ("admin_email", "a@fresh.example\r\nBcc: b@fresh.example"),
    ("admin_email", f"a@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.{'f' * 20}.example"),
    ("admin_name", "x" * 121),
    ("admin_name", "a\x00b"),
    ("language", "xx"),
    ("time_zone", "Mars/Olympus"),
    ("time_zone", "../../etc/passwd"),
]


@pytest.mark.parametrize(("field", "value"), BAD)
def test_a_wrong_value_is_named_and_nothing_is_written(db, field, value):
    before = Tenant.objects.count(), AuditEntry.objects.count(), OutboxMessage.objects.count()

    with pytest.raises(Invalid) as refusal:
        ask(**{"slug": "fresh-one", field: value})

    assert list(refusal.value.facts["errors"]) == [field]
    assert (Tenant.objects.count(), AuditEntry.objects.count(), OutboxMessage.objects.count()) == before


def test_all_wrong_values_are_named_at_once(db):
    with pytest.raises(Invalid) as refusal:
        ask("Fresh", name="", admin_email="x")

    assert set(refusal.value.facts["errors"]) == {"slug", "name", "admin_email"}


def test_a_slug_that_is_taken_is_refused_and_nothing_is_written(db, acme):
    before = Tenant.objects.count(), AuditEntry.objects.count(), OutboxMessage.objects.count()

    with pytest.raises(SlugTaken) as refusal:
        ask("acme-corp")

    assert refusal.value.facts == {"slug": "acme-corp"}
    assert (Tenant.objects.count(), AuditEntry.objects.count(), OutboxMessage.objects.count()) == before


def test_a_suspended_tenants_slug_is_taken_too(db, acme):
    Tenant.objects.filter(pk=acme.id).update(status=Tenant.Status.SUSPENDED)

    with pytest.raises(SlugTaken):
        ask("acme-corp")


def test_of_two_that_ask_for_one_slug_at_once_one_is_refused(committed, world):
    slug = f"race-{secrets.token_hex(4)}"

    results = run_together(lambda: ask(slug), lambda: ask(slug))

    made = [result for result in results if isinstance(result, Operation)]
    refused = [result for result in results if isinstance(result, SlugTaken)]
    assert (len(made), len(refused)) == (1, 1), results
    assert Tenant.objects.filter(slug=slug).count() == Domain.objects.filter(domain=slug).count() == 1
    assert Operation.objects.filter(tenant__slug=slug).count() == 1
    assert AuditEntry.objects.filter(action="tenant.requested", target_name=slug).count() == 1
    assert not existing_objects(made[0].tenant.ref)
    Operation.objects.filter(pk=made[0].pk).update(status=Operation.Status.FAILED)


def test_a_repeated_call_returns_the_first_ones_operation(db):
    call = IdempotentCall.of(principal="operator:1", method="POST", path="/api/v1/tenants/", key="k", body=b"{}")
    first = ask("fresh-one", call=call)

    again = ask("fresh-one", call=call)

    assert again.pk == first.pk
    assert Tenant.objects.filter(slug="fresh-one").count() == 1


def test_a_repeated_call_with_another_body_is_refused(db):
    kept = {"principal": "operator:1", "method": "POST", "path": "/api/v1/tenants/", "key": "k"}
    ask("fresh-one", call=IdempotentCall.of(**kept, body=b"1"))

    with pytest.raises(IdempotencyConflict):
        ask("fresh-two", call=IdempotentCall.of(**kept, body=b"2"))

    assert not Tenant.objects.filter(slug="fresh-two").exists()


def test_a_call_that_was_refused_leaves_its_key_free(db):
    call = IdempotentCall.of(principal="operator:1", method="POST", path="/api/v1/tenants/", key="k", body=b"{}")
    with pytest.raises(Invalid):
        ask("Fresh", call=call)

    assert ask("fresh-one", call=call).tenant.slug == "fresh-one"


def test_provisioning_makes_everything_and_says_so(new_tenant):
    from accounts.people.models import Person
    from tenants.preferences.models import Preferences

    tenant = new_tenant(name="Fresh & Söhne", language="it", time_zone="Europe/Rome")

    assert tenant.status == Tenant.Status.ACTIVE
    assert dict(existing_objects(tenant.ref)) == {"schema": tenant.schema_name, "role": tenant.role_name}
    assert bucket_exists(tenant.bucket_name)
    with enter(tenant.ref):
        assert [person.email for person in Person.objects.all()] == [tenant.admin_email]
        preferences = Preferences.objects.get()
        assert (preferences.name, preferences.language, preferences.time_zone) == ("Fresh & Söhne", "it", "Europe/Rome")
    operation = tenant.operations.get()
    assert [step.status for step in operation.steps.all()] == ["done"] * len(settings.TENANT_STEPS)
    assert all(step.attempt == 1 and step.started_at and step.finished_at for step in operation.steps.all())
    assert (operation.lease_owner, operation.lease_until) == ("", None)
    assert AuditEntry.objects.filter(action="tenant.activated", target_id=tenant.pk).count() == 1
    names = OutboxMessage.objects.filter(tenant_id=tenant.pk).values_list("name", flat=True)
    assert {"plexica.tenant.requested", "plexica.tenant.activated"} <= set(names)


def test_the_first_admins_link_can_be_had_once(new_tenant):
    tenant = new_tenant()
    operation_id: UUID = tenant.operations.get().pk

    assert claim_first_admin_link(operation_id=operation_id, actor=WHO) == tenant
    with pytest.raises(LinkAlreadyShown):
        claim_first_admin_link(operation_id=operation_id, actor=WHO)

    assert AuditEntry.objects.filter(action="tenant.first_admin_link_shown", target_id=tenant.pk).count() == 1


def test_before_the_end_there_is_no_link(db):
    operation = ask("fresh-one")

    with pytest.raises(LinkAlreadyShown):
        claim_first_admin_link(operation_id=operation.pk, actor=WHO)
