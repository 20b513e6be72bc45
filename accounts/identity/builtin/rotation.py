"""Replaces the keys that sign a realm's tokens, so that nobody notices.

announced ──verifiers have read it──> signs ──a newer one signs──> still published ──its last token is over──> gone
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from accounts.identity.builtin.keys import make_key
from accounts.identity.builtin.metadata import KEYS_FRESH_S
from accounts.identity.discovery import KEPT_S, forget_keys, key_of_keys
from accounts.identity.models import SigningKey
from accounts.identity.realms import RealmRef, current_realm
from accounts.identity.verification import LEEWAY_S
from core import audit
from core.actors import SYSTEM, Actor
from core.locks import one_at_a_time

ANNOUNCED = timedelta(seconds=max(KEYS_FRESH_S, KEPT_S) + 60)  # nobody has an older list of keys then
RETIRED_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rotation:
    """A key that was made, from when on it signs, and until when its predecessors are published."""

    kid: str
    signs_from: datetime
    retires_at: datetime


@transaction.atomic
def rotate_keys(*, actor: Actor = SYSTEM, at_once: bool = False) -> Rotation | None:
    """Make a new key for the current realm, at the built-in issuer; None if the realm is elsewhere, or one is announced.

    It signs after `ANNOUNCED`; older ones stay published until their tokens are over. With `at_once`, for a key that
    leaked, it signs now, and what older ones signed is refused: here at once, in other processes within 5 minutes.
    """
    realm, now = current_realm(), timezone.now()
    if not realm.builtin:
        return None
    one_at_a_time("signing keys")
    keys = list(SigningKey.objects.published())
    if not at_once and any(key.active_from > now for key in keys):
        return None
    signs_from = now if at_once else now + ANNOUNCED
    retires_at = now if at_once else signs_from + _longest_token()
    SigningKey.objects.filter(pk__in=[key.pk for key in keys]).update(retired_at=retires_at)
    key = make_key(active_from=signs_from)
    audit.record(actor=actor, action="realm.keys_rotated", kid=key.kid, at_once=at_once)
    transaction.on_commit(partial(_tell, realm))
    return Rotation(key.kid, signs_from, retires_at)


def _tell(realm: RealmRef) -> None:
    cache.delete(key_of_keys(realm))
    forget_keys()


def rotate_old_keys() -> Rotation | None:
    """Rotate the current realm's keys if the newest is older than `settings.KEY_ROTATION` says."""
    newest = SigningKey.objects.published().order_by("-active_from").first()
    if newest is None or not settings.KEY_ROTATION or newest.created_at > timezone.now() - settings.KEY_ROTATION:
        return None
    return rotate_keys()


def clear_retired_keys() -> None:
    """Delete keys that verify nothing any more."""
    SigningKey.objects.filter(retired_at__lt=timezone.now() - RETIRED_KEPT).delete()


def _longest_token() -> timedelta:
    lives: dict[str, Any] = settings.OAUTH2_PROVIDER
    return timedelta(seconds=max(lives["ACCESS_TOKEN_EXPIRE_SECONDS"], lives["ID_TOKEN_EXPIRE_SECONDS"]) + LEEWAY_S)
