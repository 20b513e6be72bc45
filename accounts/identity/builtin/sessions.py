"""Sessions at the built-in issuer: who is signed in there, and what keeps programs signed in."""

from contextlib import suppress
from typing import Any
from uuid import UUID

from django.db.models import F
from oauth2_provider.models import (
    get_access_token_model,
    get_device_grant_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)

from accounts.identity.models import Account


def token_models() -> list[Any]:
    """Return the tables of what the issuer gives to clients."""
    return [
        get_refresh_token_model(),  # type: ignore[no-untyped-call]
        get_access_token_model(),  # type: ignore[no-untyped-call]
        get_id_token_model(),  # type: ignore[no-untyped-call]
        get_grant_model(),  # type: ignore[no-untyped-call]
        get_device_grant_model(),  # type: ignore[no-untyped-call]
    ]


def end_own_sessions(subject: str) -> None:
    """Ask an account for its password again, at the issuer of the current realm; what clients have of it goes on."""
    with suppress(ValueError):  # no id of ours
        Account.objects.filter(pk=UUID(subject)).update(session_epoch=F("session_epoch") + 1)


def end_sessions(subject: str) -> None:
    """End an account's sessions in the current realm with their codes and tokens; pages' own sessions are not these."""
    end_own_sessions(subject)
    with suppress(ValueError):
        for model in token_models():
            model.objects.filter(user_id=UUID(subject)).delete()
