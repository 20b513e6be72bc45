"""Between the right password and the code: what the issuer's session of this one browser remembers, for five minutes.

password is right ──> half-way ──the code is right, too──> signed in
                          └──time is over, password changed, another sign-in begun──> nobody

Somebody half-way is signed in nowhere. The session is made anew at both steps; the state counts for the account as it was
(another password, or ending its sessions, ends it) and for the tab whose page it drew.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import auth
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from accounts.identity.models import Account
from accounts.sessions.middleware import CLAIMS

BACKEND = "accounts.identity.builtin.accounts.AccountBackend"
HALF_WAY = "half_way"
LASTS_S = 300
PASSWORD_ALONE, WITH_CODE = "1", "2"  # what `acr` says


@dataclass(frozen=True, slots=True)
class HalfWay:
    """Whose password was right, where they want to go, and the page that asks them for the rest."""

    account: Account
    onward: str
    tab: str


def go_half_way(request: HttpRequest, account: Account, *, onward: str) -> None:
    """Remember that the password was right, under a new session that knows nothing of the one before."""
    request.session.flush()
    request.session[HALF_WAY] = {
        "account": str(account.pk),
        "as_it_was": account.get_session_auth_hash(),
        "at": time.time(),
        "onward": onward,
        "tab": secrets.token_urlsafe(12),
    }


def who_is_half_way(request: HttpRequest) -> HalfWay | None:
    """Return who has to prove the rest in this browser, or None."""
    kept: dict[str, Any] = request.session.get(HALF_WAY, {})
    if not kept or kept["at"] < time.time() - LASTS_S:
        return None
    account = Account.objects.filter(pk=kept["account"], is_active=True).first()
    if account is None or not constant_time_compare(account.get_session_auth_hash(), kept["as_it_was"]):
        return None
    return HalfWay(account, kept["onward"], kept["tab"])


def sign_in_to_issuer(request: HttpRequest, account: Account, *, methods: Sequence[str]) -> None:
    """Begin the issuer's session. `methods` are how somebody proved who they are, after RFC 8176."""
    request.session.pop(HALF_WAY, None)
    auth.login(request, account, backend=BACKEND)
    level = WITH_CODE if "mfa" in methods else PASSWORD_ALONE
    request.session[CLAIMS] = {"sid": secrets.token_urlsafe(24), "amr": list(methods), "acr": level}
