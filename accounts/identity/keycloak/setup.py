"""Prepares a Keycloak: the one client that may make realms there. The only code that uses the server's administrator.

The provisioner has the role `create-realm` and nothing else in its tokens. With its full scope they would grow with every
realm that it makes, and past a hundred the server refuses them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from accounts.identity.keycloak.client import exchange, refusal
from accounts.identity.keycloak.document import THEME
from accounts.identity.keycloak.servers import KeycloakServer

OLDEST_VERSION = 26
ENTRIES_A_REALM = 50
MEMORY_BYTES = 700 * 1024**2
ROLE = "create-realm"
_EVICTION = re.compile(
    r'^vendor_configuration_eviction_size\{[^}]*cache="realmRevisions"[^}]*\} ([0-9.eE+]+)$', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that was looked at: changed, as it should be, or not good."""

    level: Literal["changed", "ok", "warn"]
    says: str


@dataclass(frozen=True, slots=True)
class Administrator:
    """Somebody who may do everything at a server, for the time of this set-up."""

    server: KeycloakServer
    token: str

    @classmethod
    def sign_in(cls, server: KeycloakServer, user: str, password: str) -> "Administrator":
        """Raises Rejected for a wrong password, and Unavailable."""
        response = exchange(
            "POST",
            f"{server.url}/realms/master/protocol/openid-connect/token",
            data={"grant_type": "password", "client_id": "admin-cli", "username": user, "password": password},
        )
        if response.status_code != 200:
            raise refusal(response)
        return cls(server, str(response.json()["access_token"]))

    def call(self, method: str, path: str, **sent: Any) -> Any:
        """Call `/admin...` and return the answer's JSON, if it has any."""
        headers = {"Authorization": f"Bearer {self.token}"}
        response = exchange(method, f"{self.server.url}/admin{path}", headers=headers, answer_s=60, **sent)
        if response.status_code not in (200, 201, 204):
            raise refusal(response)
        return response.json() if response.content else None


def set_up_server(admin: Administrator, *, management_url: str = "") -> Iterator[Note]:
    """Make or mend the provisioner and look at the server; yields what was changed and what was found. Safe to repeat."""
    yield from _provisioner(admin)
    yield from _facts(admin)
    yield from _caches(admin.server, management_url)


def _provisioner(admin: Administrator) -> Iterator[Note]:
    server = admin.server
    wanted: dict[str, Any] = {
        "clientId": server.provisioner_id,
        "name": "Plexica: makes realms",
        "publicClient": False,
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": False,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "fullScopeAllowed": False,
    }
    secret = server.provisioner_secret.get_secret_value()
    client = _find_client(admin)
    if client is None:
        admin.call("POST", "/realms/master/clients", json={**wanted, "secret": secret})
        client = _find_client(admin) or {}
        yield Note("changed", f"made the client {server.provisioner_id}")
    else:
        other = sorted(name for name, value in wanted.items() if client.get(name) != value)
        current = admin.call("GET", f"/realms/master/clients/{client['id']}/client-secret").get("value")
        if other or current != secret:
            admin.call("PUT", f"/realms/master/clients/{client['id']}", json={**wanted, "secret": secret})
            yield Note(
                "changed", f"set of {server.provisioner_id}: {', '.join([*other, *['secret'] * (current != secret)])}"
            )
        else:
            yield Note("ok", f"{server.provisioner_id} is as it should be")
    yield from _rights(admin, str(client["id"]))


def _find_client(admin: Administrator) -> dict[str, Any] | None:
    found = admin.call("GET", "/realms/master/clients", params={"clientId": admin.server.provisioner_id})
    return found[0] if found else None


def _rights(admin: Administrator, client_id: str) -> Iterator[Note]:
    """Give the role, and put it alone into the scope."""
    role = admin.call("GET", f"/realms/master/roles/{ROLE}")
    user = admin.call("GET", f"/realms/master/clients/{client_id}/service-account-user")
    places = {
        "role": f"/realms/master/users/{user['id']}/role-mappings/realm",
        "scope": f"/realms/master/clients/{client_id}/scope-mappings/realm",
    }
    for what, path in places.items():
        names = {each["name"]: each for each in admin.call("GET", path) or []}
        extra = [each for name, each in names.items() if name != ROLE and not name.startswith("default-roles-")]
        if ROLE not in names:
            admin.call("POST", path, json=[role])
            yield Note("changed", f"gave its {what} {ROLE}")
        if extra:
            admin.call("DELETE", path, json=extra)
            yield Note("changed", f"took from its {what}: {', '.join(sorted(each['name'] for each in extra))}")


def _facts(admin: Administrator) -> Iterator[Note]:
    info = admin.call("GET", "/serverinfo")
    version = str(info["systemInfo"]["version"])
    old = int(version.split(".", maxsplit=1)[0]) < OLDEST_VERSION
    yield Note(
        "warn" if old else "ok", f"version {version}" + (f"; {OLDEST_VERSION} or newer is needed" if old else "")
    )
    memory = int(info["memoryInfo"]["total"])
    small = memory < MEMORY_BYTES
    yield Note(
        "warn" if small else "ok", f"{memory // 1024**2} MB of heap" + ("; give it 768 or more" if small else "")
    )
    themes = {theme["name"] for theme in info["themes"]["login"]}
    if THEME in themes:
        yield Note("ok", f"the login theme {THEME} is there")
    else:
        yield Note("warn", f"the login theme {THEME} is missing: copy deploy/keycloak/themes into the server's themes")


def _caches(server: KeycloakServer, management_url: str) -> Iterator[Note]:
    if not management_url:
        yield Note("warn", "cache sizes not looked at: give --management-url, where its /metrics are")
        return
    response = exchange("GET", f"{management_url.rstrip('/')}/metrics")
    found = _EVICTION.search(response.text) if response.status_code == 200 else None
    if found is None:
        yield Note(
            "warn", f"no figures of the realm cache at {management_url}/metrics: start it with --metrics-enabled=true"
        )
        return
    # the cache of realms itself tells no size, the one of their versions has twice as much
    entries, needed = int(float(found.group(1))) // 2, server.capacity * ENTRIES_A_REALM
    if 0 < entries < needed:
        yield Note(
            "warn",
            f"the realm cache holds {entries} entries, {server.capacity} realms need {needed}:"
            f" start it with --cache-embedded-realms-max-count={needed}",
        )
    else:
        yield Note("ok", f"the realm cache holds {'any number of' if entries <= 0 else entries} entries")
