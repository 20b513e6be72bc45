from contextlib import nullcontext

import pytest
import structlog
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from core import audit
from core.actors import SYSTEM, Actor
from core.audit.models import AuditEntry
from core.tenancy import enter


def test_an_entry_says_who_did_what_to_what_and_why(db, acme):
    from accounts.people.models import Person

    with enter(acme), structlog.contextvars.bound_contextvars(request_id="r-1"):
        person = Person.objects.first()
        who = Actor(kind="person", id=person.pk, name="Mara " * 60)
        audit.record(actor=who, action="member.updated", target=person, reason="married", fields=["name"])
        entry = AuditEntry.objects.first()

    assert (entry.actor_kind, entry.actor_id, entry.action) == ("person", person.pk, "member.updated")
    assert (entry.target_label, entry.target_id, entry.target_name) == ("people.person", person.pk, str(person))
    assert (entry.reason, entry.facts, entry.request_id) == ("married", {"fields": ["name"]}, "r-1")
    assert len(entry.actor_name) == 200


def test_the_platform_and_each_tenant_have_logs_of_their_own(db, acme, globex):
    with enter(acme):
        audit.record(actor=SYSTEM, action="tests.here")
        assert AuditEntry.objects.filter(action="tests.here").count() == 1

    with enter(globex):
        assert not AuditEntry.objects.filter(action="tests.here").exists()
    assert not AuditEntry.objects.filter(action="tests.here").exists()


def test_an_entry_is_gone_with_the_transaction_that_wrote_it(db, acme):
    with enter(acme):
        with transaction.atomic():
            audit.record(actor=SYSTEM, action="tests.undone")
            transaction.set_rollback(True)

        assert not AuditEntry.objects.filter(action="tests.undone").exists()


@pytest.mark.parametrize("inside", [True, False], ids=["tenant", "platform"])
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit_entry SET action = 'tests.changed'",
        "DELETE FROM audit_entry",
        "WITH gone AS (DELETE FROM audit_entry RETURNING 1) SELECT count(*) FROM gone",
        "SELECT * FROM audit_entry_default",
    ],
)
def test_nobody_can_change_what_was_written(db, acme, inside, change):
    with enter(acme) if inside else nullcontext():
        audit.record(actor=SYSTEM, action="tests.kept")

        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            connection.cursor().execute(change)

        assert AuditEntry.objects.filter(action="tests.kept").count() == 1
