from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from core.idempotency.models import IdempotencyKey
from core.idempotency.services import IdempotencyConflict, IdempotentCall, recall, remember
from tests.support.threads import run_apart


def call_of(key="k", *, body=b"{}", principal="operator:1", method="POST", path="/api/v1/tenants/"):
    return IdempotentCall.of(principal=principal, method=method, path=path, key=key, body=body)


def test_a_first_call_is_unknown_and_a_repetition_gets_the_first_answer(db):
    assert recall(call_of()) is None

    remember(call_of(), status=202, location="/somewhere")

    known = recall(call_of())
    assert (known.status, known.location) == (202, "/somewhere")
    assert IdempotencyKey.objects.count() == 1


def test_another_body_under_the_same_key_is_refused(db):
    remember(call_of(), status=202, location="/somewhere")

    with pytest.raises(IdempotencyConflict) as refusal:
        recall(call_of(body=b'{"other": 1}'))

    assert refusal.value.status == 409
    assert refusal.value.facts == {"key": "k"}


@pytest.mark.parametrize("other", [{"principal": "operator:2"}, {"method": "PUT"}, {"path": "/api/v1/other/"}])
def test_the_key_of_another_principal_method_or_path_is_another(db, other):
    remember(call_of(), status=202, location="/somewhere")

    assert recall(call_of(**other)) is None


def test_the_body_itself_is_not_kept(db):
    remember(call_of(body=b"mara@people.example"), status=202, location="/x")

    row = IdempotencyKey.objects.values().get()
    assert "mara" not in repr(row)


def test_after_a_day_the_key_is_free_again(db):
    remember(call_of(), status=202, location="/old")
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))

    assert recall(call_of(body=b"another")) is None
    remember(call_of(body=b"another"), status=202, location="/new")
    assert recall(call_of(body=b"another")).location == "/new"


def test_within_the_day_it_is_not(db):
    remember(call_of(), status=202, location="/old")
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=23, minutes=59))

    assert recall(call_of()).location == "/old"


def test_a_twin_is_refused_while_the_first_one_runs_and_answered_when_it_has_ended(committed):
    key = uuid4().hex

    def twin():
        with transaction.atomic():
            return recall(call_of(key))

    with transaction.atomic():
        assert recall(call_of(key)) is None
        with pytest.raises(IdempotencyConflict):
            run_apart(twin)
        remember(call_of(key), status=202, location="/first")

    assert run_apart(twin).location == "/first"


def test_a_call_that_failed_leaves_its_key_free(committed):
    key = uuid4().hex
    with transaction.atomic():
        recall(call_of(key))
        remember(call_of(key), status=202, location="/undone")
        transaction.set_rollback(True)

    with transaction.atomic():
        assert recall(call_of(key)) is None
