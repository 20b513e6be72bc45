"""Accounts and clients of a realm at Keycloak, through its own admin client."""

import secrets
import string
from typing import Any

from accounts.identity.keycloak.client import Api
from accounts.identity.keycloak.document import ADMIN_CLIENT_ID, api_client
from accounts.identity.port import Account, NewAccount, NewClient
from core.errors import Rejected, Unavailable
from core.tenancy import TenantRef

PAGE = 200
SID = frozenset(string.ascii_letters + string.digits + "-_")


class People:
    """The port's calls that are about somebody in a realm."""

    def api(self, ref: TenantRef | None) -> Api:
        """Return the way into a realm."""
        raise NotImplementedError

    def make_account(self, ref: TenantRef | None, *, email: str, name: str, password: str | None = None) -> NewAccount:
        api, email = self.api(ref), email.strip().lower()
        response = api.call("POST", _users(api), json=new_user(email, name, password), expect=(201, 409))
        if response.status_code == 201:
            return NewAccount(response.headers["Location"].rpartition("/")[2], created=True)
        found = api.call("GET", _users(api), params={"email": email, "exact": "true"}).json()
        if not found:  # somebody deleted it between the two questions
            raise Unavailable(part="keycloak")
        return NewAccount(str(found[0]["id"]), created=False)

    def find_account(self, ref: TenantRef | None, subject: str) -> Account | None:
        api = self.api(ref)
        user = _read(api, subject)
        return _known(user) if user else None

    def list_accounts(self, ref: TenantRef | None) -> list[Account]:
        api = self.api(ref)
        found: list[dict[str, Any]] = []
        while True:
            asked = {"first": len(found), "max": PAGE, "briefRepresentation": "true"}
            page = api.call("GET", _users(api), params=asked).json()
            found += page
            if len(page) < PAGE:
                return sorted((_known(user) for user in found), key=lambda account: account.email)

    def count_accounts(self, ref: TenantRef | None) -> int:
        api = self.api(ref)
        return int(api.call("GET", f"{_users(api)}/count").json())

    def set_account_active(self, ref: TenantRef | None, subject: str, active: bool) -> None:
        api = self.api(ref)
        if not _read(api, subject):
            return
        api.call("PUT", user_path(api, subject), json={"enabled": active}, expect=(204, 404))
        if not active:
            api.call("POST", f"{user_path(api, subject)}/logout", expect=(204, 404))

    def unlock_account(self, ref: TenantRef | None, subject: str) -> None:
        api = self.api(ref)
        user_path(api, subject)  # refuses what is no subject
        api.call("DELETE", f"/{api.realm}/attack-detection/brute-force/users/{subject}", expect=(204, 404))

    def delete_account(self, ref: TenantRef | None, subject: str) -> None:
        api = self.api(ref)
        api.call("DELETE", user_path(api, subject), expect=(204, 404))

    def end_session(self, ref: TenantRef | None, subject: str, sid: str) -> None:
        api = self.api(ref)
        if sid and set(sid) <= SID:  # it becomes a part of the address
            api.call("DELETE", f"/{api.realm}/sessions/{sid}", expect=(204, 404))

    def end_sessions(self, ref: TenantRef | None, subject: str) -> None:
        api = self.api(ref)
        api.call("POST", f"{user_path(api, subject)}/logout", expect=(204, 404))

    def set_password(self, ref: TenantRef | None, *, subject: str, password: str) -> None:
        api = self.api(ref)
        secret = {"type": "password", "value": password, "temporary": False}
        api.call("PUT", f"{user_path(api, subject)}/reset-password", json=secret)

    def make_client(self, ref: TenantRef | None, *, client_id: str, name: str) -> NewClient:
        api, secret = self.api(ref), secrets.token_urlsafe(48)
        wanted = api_client(client_id=client_id, name=name, secret=secret)
        made = api.call("POST", _clients(api), json=wanted, expect=(201, 409))
        number = _program_number(api, client_id)
        if number is None:
            raise Rejected(part="keycloak", said=f"{client_id} is another kind of client")
        if made.status_code == 409:
            api.call("PUT", f"{_clients(api)}/{number}", json=wanted)
        user = api.call("GET", f"{_clients(api)}/{number}/service-account-user").json()
        return NewClient(client_id=client_id, subject=str(user["id"]), secret=secret)

    def list_programs(self, ref: TenantRef | None) -> list[str]:
        """Return the ids of the clients that `make_client` made."""
        api = self.api(ref)
        found = api.call("GET", _clients(api)).json()
        return sorted(
            each["clientId"] for each in found if each["serviceAccountsEnabled"] and each["clientId"] != ADMIN_CLIENT_ID
        )

    def delete_client(self, ref: TenantRef | None, client_id: str) -> None:
        api = self.api(ref)
        number = _program_number(api, client_id)
        if number:
            api.call("DELETE", f"{_clients(api)}/{number}", expect=(204, 404))


def new_user(email: str, name: str, password: str | None = None) -> dict[str, Any]:
    """Return an account as Keycloak takes it. Our people have one name: what comes after the first stays empty."""
    user: dict[str, Any] = {
        "username": email,
        "email": email,
        "emailVerified": True,  # who invites somebody has written to this address
        "enabled": True,
        "firstName": name[:255],
    }
    if password is not None:
        user["credentials"] = [{"type": "password", "value": password, "temporary": False}]
    return user


def _known(user: dict[str, Any]) -> Account:
    name = " ".join(part for part in (user.get("firstName"), user.get("lastName")) if part)
    email = str(user.get("email") or user["username"])
    return Account(str(user["id"]), email, name or email, bool(user["enabled"]))


def _read(api: Api, subject: str) -> dict[str, Any] | None:
    response = api.call("GET", user_path(api, subject), expect=(200, 404))
    found: dict[str, Any] = response.json()
    return found if response.status_code == 200 else None


def _users(api: Api) -> str:
    return f"/{api.realm}/users"


def user_path(api: Api, subject: str) -> str:
    """Return the address of an account. Raises Rejected for what is no subject."""
    if not subject or not set(subject) <= set("0123456789abcdef-"):  # it becomes a part of the address
        raise Rejected(part="keycloak", said="no subject of this issuer")
    return f"{_users(api)}/{subject}"


def _clients(api: Api) -> str:
    return f"/{api.realm}/clients"


def _program_number(api: Api, client_id: str) -> str | None:
    """Return what the server calls a client that `make_client` made; the realm's own clients are none of these."""
    found = api.call("GET", _clients(api), params={"clientId": client_id}).json()
    is_program = found and found[0]["serviceAccountsEnabled"] and client_id != ADMIN_CLIENT_ID
    return str(found[0]["id"]) if is_program else None
