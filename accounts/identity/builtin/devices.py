"""Browsers in which somebody signed in before, known by a signed cookie: a device cookie, as OWASP describes them.

It lets nobody in. What fails in such a browser is counted for it alone, so a stranger who locks an account leaves it open
where its owner works. Signed is a random number for each address: who steals the cookie gets a counter, no more.
"""

import secrets

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from accounts.identity.builtin.attempts import name_of
from accounts.sessions.middleware import ISSUER_PATH
from core.tenancy import current

KEPT_S = 365 * 24 * 3600
MOST_ACCOUNTS = 5  # of one browser; the one that signed in longest ago goes first


def device_of(request: HttpRequest, email: str) -> str:
    """Return what this browser is known by at an account, empty if nobody signed in to it here."""
    return _known(request).get(name_of(email), "")


def remember_device(request: HttpRequest, response: HttpResponse, email: str) -> None:
    """Let this browser be known at an account from now on."""
    known, name = _known(request), name_of(email)
    number = known.pop(name, "") or secrets.token_urlsafe(16)
    newest = [*known.items(), (name, number)][-MOST_ACCOUNTS:]
    response.set_cookie(
        settings.DEVICE_COOKIE_NAME,
        signing.dumps(dict(newest), salt=_salt()),
        max_age=KEPT_S,
        path=ISSUER_PATH,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _known(request: HttpRequest) -> dict[str, str]:
    try:
        found: dict[str, str] = signing.loads(
            request.COOKIES.get(settings.DEVICE_COOKIE_NAME, ""), salt=_salt(), max_age=KEPT_S
        )
    except signing.BadSignature:
        return {}
    return found


def _salt() -> str:
    ref = current()
    return f"accounts.identity.device:{ref.id if ref else 'platform'}"
