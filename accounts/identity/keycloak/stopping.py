"""Disables a realm and enables it again.

A disabled realm gives no tokens, to its own admin client neither, but takes those that it gave before. So that client
gets one that lasts for years before the door closes; it is kept, encrypted, until the door opens, and is worth nothing
from then on, like every other token of before.
"""

import time
from collections.abc import Callable
from typing import Any

import jwt

from accounts.identity.keycloak.client import Api
from accounts.identity.keycloak.document import ADMIN_CLIENT_ID, SESSION_S

YEARS_S = 10 * 365 * 24 * 3600
LIFESPAN = "access.token.lifespan"


def disable(api: Api, *, keep_token: Callable[[str], None]) -> None:
    """Close the realm. `keep_token` is called with what opens it before it is closed. Safe to repeat."""
    realm = f"/{api.realm}"
    if not api.call("GET", realm).json()["enabled"]:
        return
    api.call("POST", f"{realm}/logout-all")  # first: tokens of before this moment count no more, the kept one must
    client = f"{realm}/clients/{_admin_client_id(api)}"
    api.call("PUT", realm, json={"ssoSessionMaxLifespan": YEARS_S})  # no token of a realm lasts longer than this
    api.call("PUT", client, json={"attributes": {LIFESPAN: str(YEARS_S)}})
    keep_token(api.token(fresh=True))
    api.call("PUT", client, json={"attributes": {LIFESPAN: ""}})
    api.call("PUT", realm, json={"enabled": False, "ssoSessionMaxLifespan": SESSION_S})
    api.forget()


def enable(api: Api) -> None:
    """Open the realm; nothing that was given before counts any more, the kept token neither. Safe to repeat."""
    api.forget()
    changes: dict[str, Any] = {"enabled": True}
    if api.spare_token:
        given_at = int(jwt.decode(api.spare_token, options={"verify_signature": False})["iat"])  # by the server's clock
        time.sleep(max(0.0, min(1.0, given_at + 1 - time.time())))  # what is given from now on counts
        changes["notBefore"] = given_at + 1
    api.call("PUT", f"/{api.realm}", json=changes)
    api.forget()


def _admin_client_id(api: Api) -> str:
    found = api.call("GET", f"/{api.realm}/clients", params={"clientId": ADMIN_CLIENT_ID}).json()
    return str(found[0]["id"])
