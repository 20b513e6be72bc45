"""Second factors in a realm at Keycloak, through its own admin client.

A realm's own browser flow asks for a code of those who have set one up. What makes it ask everybody, and set one up where
there is none, are two of its executions: the flow for second factors, and the form for codes in it.
"""

import json
from typing import Any

from accounts.identity.keycloak.client import Api
from accounts.identity.keycloak.people import PAGE, user_path
from accounts.identity.port import SignInState
from core.errors import Rejected
from core.tenancy import TenantRef

FORM = "auth-otp-form"
OF_SECOND_FACTORS = ("otp", "recovery-authn-codes", "webauthn", "webauthn-passwordless")
SET_UP = "CONFIGURE_TOTP"
LOOK_S = 4.0


class SecondFactors:
    """The port's calls that are about second factors."""

    def api(self, ref: TenantRef | None) -> Api:
        """Return the way into a realm."""
        raise NotImplementedError

    def remove_second_factor(self, ref: TenantRef | None, subject: str) -> None:
        api = self.api(ref)
        path = user_path(api, subject)
        found = api.call("GET", f"{path}/credentials", expect=(200, 404))
        for credential in found.json() if found.status_code == 200 else []:
            if credential["type"] in OF_SECOND_FACTORS:
                api.call("DELETE", f"{path}/credentials/{credential['id']}", expect=(204, 404))
        api.call("POST", f"{path}/logout", expect=(204, 404))

    def read_sign_in(self, ref: TenantRef | None, subject: str) -> SignInState | None:
        """Ask with little patience: somebody waits for a page. Keycloak does not say until when an account is locked."""
        api = self.api(ref)
        found = api.call("GET", f"{user_path(api, subject)}/credentials", expect=(200, 404), answer_s=LOOK_S)
        if found.status_code == 404:
            return None
        has_factor = any(credential["type"] in OF_SECOND_FACTORS for credential in found.json())
        failures = api.call("GET", f"/{api.realm}/attack-detection/brute-force/users/{subject}", answer_s=LOOK_S)
        return SignInState(bool(failures.json()["disabled"]), None, has_factor)

    def require_two_factor(self, ref: TenantRef | None, required: bool) -> None:
        api = self.api(ref)
        path = f"/{api.realm}/authentication/flows/browser/executions"
        executions = api.call("GET", path).json()
        for execution, wanted in _wanted(executions, required):
            if execution["requirement"] != wanted:
                api.call("PUT", path, json={**execution, "requirement": wanted}, expect=(202, 204))

    def list_with_second_factor(self, ref: TenantRef | None) -> set[str]:
        """Return the subjects of everybody who has an authenticator app."""
        api, first = self.api(ref), 0
        found: set[str] = set()
        while True:
            asked = {"first": first, "max": PAGE, "briefRepresentation": "false"}
            page = api.call("GET", f"/{api.realm}/users", params=asked).json()
            found |= {str(user["id"]) for user in page if user.get("totp")}
            first += len(page)
            if len(page) < PAGE:
                return found


def app_credential(secret: str) -> dict[str, Any]:
    """Return an app of ours, whose secret is in base32, as a realm's document has it."""
    kind = {
        "subType": "totp",
        "digits": 6,
        "period": 30,
        "counter": 0,
        "algorithm": "HmacSHA1",
        "secretEncoding": "BASE32",
    }
    return {"type": "otp", "secretData": json.dumps({"value": secret}), "credentialData": json.dumps(kind)}


def _wanted(executions: list[dict[str, Any]], required: bool) -> list[tuple[dict[str, Any], str]]:
    """Return the flow and the form with what is to be said of each: as Keycloak makes them, or both required."""
    at = next((at for at, one in enumerate(executions) if one.get("providerId") == FORM), None)
    above = [one for one in executions[:at] if one["level"] < executions[at]["level"]] if at is not None else []
    if at is None or not above or not above[-1].get("authenticationFlow"):
        raise Rejected(part="keycloak", said="the realm's browser flow was changed by hand: it has no form for codes")
    return [
        (above[-1], "REQUIRED" if required else "CONDITIONAL"),
        (executions[at], "REQUIRED" if required else "ALTERNATIVE"),
    ]
