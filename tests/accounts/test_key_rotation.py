"""Signing keys are replaced without anybody noticing, and at once when one leaked."""

from datetime import timedelta
from io import StringIO

import jwt
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.housekeeping import clear_old_rows
from accounts.identity import discovery
from accounts.identity.builtin.rotation import ANNOUNCED, rotate_keys, rotate_old_keys
from accounts.identity.models import SigningKey
from core.audit.models import AuditEntry
from core.tenancy import enter
from tests.support.issuer import Issuer

ME = "/api/v1/me/"


@pytest.fixture
def realm(new_tenant):
    """A realm whose keys other tests do not use, with somebody in it."""
    from accounts.identity import provider
    from accounts.identity.realms import current_realm
    from accounts.people.services import add_person
    from tests.support.people import PASSWORD

    ref = new_tenant().ref
    made = provider().make_account(ref, email="ann@keys.example", name="Ann", password=PASSWORD)
    with enter(ref):
        add_person(realm=current_realm(), subject=made.subject, email="ann@keys.example", name="Ann", role="user")
    return ref


def kids(ref):
    with enter(ref):
        return {key.kid for key in SigningKey.objects.published()}


def signing(ref):
    with enter(ref):
        return SigningKey.objects.signing().kid


def published(visitor, ref):
    return {key["kid"] for key in visitor(ref).get("/op/.well-known/jwks.json").json()["keys"]}


def pass_announcement(ref):
    with enter(ref):
        SigningKey.objects.filter(active_from__gt=timezone.now()).update(active_from=timezone.now())


def token_of(visitor, ref):
    from tests.support.people import PASSWORD

    return Issuer(ref).tokens(visitor(ref).sign_in("ann@keys.example", PASSWORD))["access_token"]


def test_a_new_key_is_published_before_it_signs(realm, visitor):
    before = signing(realm)

    with enter(realm):
        rotation = rotate_keys()

    assert rotation.signs_from > timezone.now() + ANNOUNCED - timedelta(minutes=1)
    assert signing(realm) == before
    assert published(visitor, realm) == {before, rotation.kid}


def test_then_it_signs_and_tokens_of_the_old_one_stay_good(realm, visitor):
    before, old = signing(realm), token_of(visitor, realm)
    with enter(realm):
        rotation = rotate_keys()
    pass_announcement(realm)

    new = token_of(visitor, realm)

    assert [jwt.get_unverified_header(token)["kid"] for token in (old, new)] == [before, rotation.kid]
    assert [visitor(realm).api("GET", ME, token=token).status_code for token in (old, new)] == [200, 200]


def test_while_a_key_is_announced_no_other_is_made(realm):
    with enter(realm):
        assert rotate_keys()
        assert rotate_keys() is None

    assert len(kids(realm)) == 2
    with enter(realm):
        assert AuditEntry.objects.filter(action="realm.keys_rotated").count() == 1


def test_a_key_that_leaked_is_worth_nothing_from_now_on(realm, visitor):
    old = token_of(visitor, realm)
    assert visitor(realm).api("GET", ME, token=old).status_code == 200

    with enter(realm):
        rotation = rotate_keys(at_once=True)

    assert visitor(realm).api("GET", ME, token=old).status_code == 401
    assert visitor(realm).api("GET", ME, token=token_of(visitor, realm)).status_code == 200
    assert kids(realm) == {rotation.kid}


def test_old_keys_are_rotated_and_young_ones_left_alone(realm, settings):
    settings.KEY_ROTATION = timedelta(days=90)
    with enter(realm):
        assert rotate_old_keys() is None
        SigningKey.objects.update(created_at=timezone.now() - timedelta(days=91))
        assert rotate_old_keys()
        assert rotate_old_keys() is None


def test_keys_that_verify_nothing_any_more_are_deleted(realm):
    with enter(realm):
        rotate_keys(at_once=True)
        SigningKey.objects.exclude(retired_at=None).update(retired_at=timezone.now() - timedelta(days=2))
        clear_old_rows()

        assert SigningKey.objects.count() == 1


def test_a_key_is_answered_from_memory_once_it_is_known(realm, visitor, monkeypatch):
    token = token_of(visitor, realm)
    assert visitor(realm).api("GET", ME, token=token).status_code == 200
    monkeypatch.setattr(discovery, "_document", lambda *args, **more: pytest.fail("somebody was asked"))

    assert visitor(realm).api("GET", ME, token=token).status_code == 200


def test_the_command_rotates_one_realm_and_refuses_two_answers(realm, world):
    out = StringIO()
    call_command("rotate_realm_keys", realm.slug, stdout=out)
    again = StringIO()
    call_command("rotate_realm_keys", realm.slug, stdout=again)

    assert realm.slug in out.getvalue()
    assert "signs from" in out.getvalue()
    assert "announced already" in again.getvalue()
    with pytest.raises(CommandError):
        call_command("rotate_realm_keys", realm.slug, platform=True)
    with pytest.raises(CommandError):
        call_command("rotate_realm_keys", "no-such-tenant")
