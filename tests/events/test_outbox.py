from uuid import uuid4

import pytest
from django.db import transaction
from psycopg import errors

from core.actors import Actor
from core.tenancy import enter
from events import publish
from events.outbox.models import OutboxMessage
from plexica_sdk.events import MemberAdded, TenantActivated
from tests.support.raw import app_login, inside, superuser

INSERT = (
    "INSERT INTO public.events_outbox (occurred_at, name, version, tenant_id, actor_kind, actor_id, request_id, payload)"
    " VALUES (now(), 'tests.forged', 1, %s, 'system', NULL, '', '{}')"
)


def test_an_event_of_a_tenant_is_written_with_its_tenant(db, acme):
    person, actor = uuid4(), Actor(kind="person", id=uuid4(), name="Mara")

    with enter(acme):
        publish(MemberAdded(person_id=person), actor=actor)

    message = OutboxMessage.objects.filter(name="plexica.member.added").last()
    assert (message.tenant_id, message.version, message.sent_at) == (acme.id, 1, None)
    assert message.payload == {"person_id": str(person)}
    assert (message.actor_kind, message.actor_id) == ("person", actor.id)
    assert "Mara" not in repr(message.__dict__)


def test_an_event_of_the_platform_is_about_the_tenant_that_it_names(db, acme):
    publish(TenantActivated(tenant_id=acme.id))

    assert OutboxMessage.objects.last().tenant_id == acme.id


def test_an_event_is_gone_with_the_transaction_of_its_change(db, acme):
    before = OutboxMessage.objects.count()

    with enter(acme), transaction.atomic():
        publish(MemberAdded(person_id=uuid4()))
        transaction.set_rollback(True)

    assert OutboxMessage.objects.count() == before


def test_messages_keep_their_order(db, acme):
    for _ in range(3):
        with enter(acme):
            publish(MemberAdded(person_id=uuid4()))

    ids = list(OutboxMessage.objects.values_list("id", flat=True))
    assert ids == sorted(ids)


@pytest.mark.parametrize("forged", ["another", "nobody", "unknown"])
def test_a_tenants_role_writes_for_nobody_but_itself(world, forged):
    tenant_id = {"another": world.globex.id, "nobody": None, "unknown": uuid4()}[forged]

    with inside(world.acme) as raw, pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
        raw.execute(INSERT, [tenant_id])


def test_a_tenants_role_writes_for_itself(world):
    with inside(world.acme) as raw, raw.transaction(force_rollback=True):
        assert raw.execute(INSERT, [world.acme.id]).rowcount == 1


@pytest.mark.parametrize(
    "attack",
    [
        "SELECT * FROM public.events_outbox",
        "SELECT count(*) FROM public.events_outbox",
        "SELECT * FROM public.events_outbox_default",
        "UPDATE public.events_outbox SET sent_at = now()",
        "DELETE FROM public.events_outbox",
        "TRUNCATE public.events_outbox",
        "INSERT INTO public.events_outbox_default SELECT",
        "INSERT INTO public.events_outbox (id) VALUES (9223372036854775807)",
        "INSERT INTO public.events_outbox (sent_at) VALUES (now())",
        "INSERT INTO public.events_outbox (name) VALUES ('x') RETURNING id",
    ],
)
def test_a_tenants_role_can_only_add(world, attack):
    with inside(world.acme) as raw, pytest.raises(errors.InsufficientPrivilege):
        raw.execute(attack)


def test_a_role_whose_name_ends_like_a_tenants_writes_nothing(world):
    """Only roles of the form px_<installation>_<code> are tenants'."""
    from core.tenancy.names import tenant_code

    name = f"intruder_{tenant_code(world.acme.id)}"
    with superuser() as admin:
        admin.execute(f"CREATE ROLE {name}")
        try:
            admin.execute(f"SET ROLE {name}")
            with pytest.raises(errors.InsufficientPrivilege):
                admin.execute(INSERT, [world.acme.id])
        finally:
            admin.execute("RESET ROLE")
            admin.execute(f"DROP ROLE {name}")


def test_the_apps_login_writes_for_the_platform_and_changes_nothing_afterwards(world):
    with app_login() as raw:
        with raw.transaction(force_rollback=True):
            assert raw.execute(INSERT, [None]).rowcount == 1
        for attack in ("UPDATE events_outbox SET sent_at = now()", "DELETE FROM events_outbox"):
            with pytest.raises(errors.InsufficientPrivilege):
                raw.execute(attack)


def test_events_carry_ids_and_no_personal_data():
    from dataclasses import fields

    from plexica_sdk import events

    kinds = [kind for kind in events.Event.__subclasses__() if kind is not events.UnknownEvent]
    names = [kind.name for kind in kinds]
    assert sorted(names) == sorted(set(names))
    for kind in kinds:
        assert kind.version >= 1
        for field in fields(kind):
            is_one_of_few_words = field.name == "reason" and f"`{field.name}` is" in (kind.__doc__ or "")
            assert field.name.endswith(("_id", "_at")) or is_one_of_few_words, kind
