"""Codes of a second factor: those of an app (TOTP, RFC 6238, as every such app makes them), and recovery codes.

Each code counts once: an app's time step is never taken again, a recovery code is crossed out.
"""

import base64
import secrets
import time
from urllib.parse import quote, urlencode

import segno
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django_otp.oath import TOTP

from accounts.identity.models import Account, Authenticator, RecoveryCode
from core.crypto import hash_token

PERIOD_S, DIGITS = 30, 6
CLOCKS_DIFFER = 1  # time steps by which app and server may be apart
SECRET_BYTES = 20
RECOVERY_CODES, RECOVERY_BYTES = 10, 10


def new_secret() -> str:
    """Return a secret for an app, in base32."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def app_address(secret: str, *, email: str, issuer: str) -> str:
    """Return what an app reads from the QR code."""
    asked = {"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": PERIOD_S}
    return f"otpauth://totp/{quote(f'{issuer}:{email}')}?{urlencode(asked, quote_via=quote)}"


def qr_svg(address: str) -> str:
    """Return a QR code as SVG without styles: black on white, whatever the page's theme."""
    drawn = segno.make(address, error="m", micro=False)
    svg: str = drawn.svg_inline(border=4, light="#fff", dark="#000", omitsize=True, svgclass="plx-qr", lineclass=None)
    return svg


def find_step(secret: str, code: str, *, after: int = 0) -> int | None:
    """Return the time step whose code this is, if it is about now and later than step `after`; else None."""
    if len(code) != DIGITS or not (code.isascii() and code.isdecimal()):
        return None
    totp = TOTP(base64.b32decode(secret), step=PERIOD_S, digits=DIGITS)
    totp.time = time.time()
    if not totp.verify(int(code), tolerance=CLOCKS_DIFFER, min_t=after + 1):
        return None
    step: int = totp.t()
    return step


@transaction.atomic
def set_up(account: Account, *, secret: str, step: int) -> list[str]:
    """Ask for codes at each sign-in from now on, and return fresh recovery codes. `step` is that of the first code."""
    remove(account)
    Authenticator.objects.create(account=account, secret=secret, last_step=step)
    Account.objects.filter(pk=account.pk).update(two_factor=True)
    account.two_factor = True
    return make_recovery_codes(account)


@transaction.atomic
def make_recovery_codes(account: Account) -> list[str]:
    """Replace an account's recovery codes and return the new ones, which nobody can read again."""
    _recovery_codes(account).delete()
    codes = [base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(account=account, code_hash=_hash(account, code)) for code in codes)
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


@transaction.atomic
def remove(account: Account) -> None:
    """Ask for no more codes. Safe to repeat."""
    Authenticator.objects.filter(account=account).delete()
    _recovery_codes(account).delete()
    Account.objects.filter(pk=account.pk).update(two_factor=False)
    account.two_factor = False


def use_code(account: Account, typed: str) -> str:
    """Take a code, once: return `app` or `recovery`, after what it was, or nothing if it is wrong or was taken before."""
    code = "".join(typed.split()).replace("-", "").lower()
    authenticator = Authenticator.objects.filter(account=account).first()
    if authenticator is None:
        return ""
    if len(code) == DIGITS:
        step = find_step(authenticator.secret, code, after=authenticator.last_step)
        fresh = Authenticator.objects.filter(pk=authenticator.pk, last_step__lt=step) if step else None
        return "app" if fresh and fresh.update(last_step=step) else ""
    unused = _recovery_codes(account).filter(code_hash=_hash(account, code), used_at=None)
    return "recovery" if unused.update(used_at=timezone.now()) else ""


def codes_left(account: Account) -> int:
    """Return how many recovery codes have not been used."""
    return _recovery_codes(account).filter(used_at=None).count()


def _recovery_codes(account: Account) -> "QuerySet[RecoveryCode]":
    return RecoveryCode.objects.filter(account=account)


def _hash(account: Account, code: str) -> str:
    return hash_token(f"{account.pk}:{code}")
