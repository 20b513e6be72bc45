"""Calls to Keycloak's admin interface, with the rights of one client. Every answer becomes one of three things.

the answer          statuses that the caller expects
Unavailable         no answer in time, 429, 5xx: the outcome is unknown, repeating is safe; ServerFailed for a 500
Rejected            any other status: repeating is useless

Nothing is sent twice but what was refused for a stale token.
"""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import requests
import structlog
from django.utils.translation import gettext_lazy as _

from accounts.identity.keycloak.servers import KeycloakServer
from core.errors import Rejected, Unavailable
from core.tenancy import ask_guard, outside_transaction

CONNECT_S = 3.0
ANSWER_S = 20.0
TOKEN_SPARE_S = 15.0  # a token is not used this close to its end
log = structlog.get_logger(__name__)
_local = threading.local()
_tokens: dict[tuple[str, str, str, str], tuple[str, float]] = {}  # of this process, by server, realm, client, secret


class RealmMissing(Rejected):
    """The server has no realm of this name."""

    code = "realm_missing"
    title = _("The identity server has no such realm")
    detail = _("%(realm)s is not there. If it was removed at the server, its people have to be made again.")


class NotSent(Unavailable):
    """The server could not be reached: nothing was sent, so nothing happened."""


class ServerFailed(Unavailable):
    """The server itself says that it failed (500): it may do so once only."""


def exchange(
    method: str, url: str, *, answer_s: float = ANSWER_S, connect_s: float = CONNECT_S, **sent: Any
) -> requests.Response:
    """Send one request and return whatever is answered below 500.

    Raises Unavailable: NotSent if nothing was sent, ServerFailed for a 500.
    """
    ask_guard()
    try:
        with outside_transaction():
            response = _session().request(method, url, timeout=(connect_s, answer_s), allow_redirects=False, **sent)
    except (requests.ConnectTimeout, requests.exceptions.SSLError) as error:
        raise NotSent(part="keycloak") from error
    except requests.ConnectionError as error:
        refused = "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)
        raise (NotSent if refused else Unavailable)(part="keycloak") from error
    except requests.RequestException as error:
        raise Unavailable(part="keycloak") from error
    if response.status_code >= 500 or response.status_code == 429:
        log.warning("keycloak_failed", method=method, url=url, status=response.status_code, said=_words(response))
        raise (ServerFailed if response.status_code == 500 else Unavailable)(part="keycloak")
    return response


def _session() -> requests.Session:
    if not hasattr(_local, "session"):
        _local.session = requests.Session()
        _local.session.trust_env = False  # no proxies, and no .netrc
    session: requests.Session = _local.session
    return session


def _refuse_nonsense(response: requests.Response) -> None:
    """Raise Unavailable for a body that is no JSON: something between us and the server answered in its place."""
    if response.status_code == 200:
        try:
            response.json()
        except ValueError as error:
            raise Unavailable(part="keycloak") from error


def refusal(response: requests.Response) -> Rejected:
    """Return what an unexpected answer means, with the server's words."""
    log.warning("keycloak_rejected", url=response.url, status=response.status_code, said=_words(response))
    return Rejected(part="keycloak", status=response.status_code, said=_words(response))


def _words(response: requests.Response) -> str:
    try:
        said = response.json()
    except ValueError:
        return response.text[:200]
    if not isinstance(said, dict):
        return str(said)[:200]
    return str(said.get("errorMessage") or said.get("error_description") or said.get("error") or "")[:200]


@dataclass(frozen=True)
class Api:
    """One client's way into a server. `spare_token` is used where the realm gives no tokens: when it is disabled."""

    server: KeycloakServer
    realm: str
    client_id: str
    secret: str = field(repr=False)
    spare_token: str = field(default="", repr=False)

    def call(
        self,
        method: str,
        path: str,
        *,
        expect: tuple[int, ...] = (200, 201, 204),
        answer_s: float = ANSWER_S,
        **sent: Any,
    ) -> requests.Response:
        """Call `/admin/realms...`. Raises RealmMissing, Rejected and Unavailable; returns an expected status."""
        url = f"{self.server.url}/admin/realms{path}"
        response = exchange(method, url, answer_s=answer_s, headers=self._headers(answer_s), **sent)
        if response.status_code == 401:  # keys were rotated, or the realm was made anew: not carried out
            response = exchange(method, url, answer_s=answer_s, headers=self._headers(answer_s, fresh=True), **sent)
        if response.status_code not in expect:
            raise refusal(response)
        _refuse_nonsense(response)
        return response

    def _headers(self, answer_s: float, *, fresh: bool = False) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(fresh=fresh, answer_s=min(answer_s, ANSWER_S))}"}

    def token(self, *, fresh: bool = False, answer_s: float = ANSWER_S) -> str:
        """Return an access token, from memory if one is good for a while. Raises RealmMissing and Rejected."""
        key = (self.server.url, self.realm, self.client_id, self.secret)
        kept, until = _tokens.get(key, ("", 0.0))
        if until > time.monotonic() and not fresh:
            return kept
        response = exchange(
            "POST",
            f"{self.server.url}/realms/{self.realm}/protocol/openid-connect/token",
            answer_s=answer_s,
            data={"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.secret},
        )
        if response.status_code == 404:
            raise RealmMissing(realm=self.realm, part="keycloak")
        if response.status_code == 403 and self.spare_token:
            return self.spare_token
        if response.status_code != 200:
            raise refusal(response)
        _refuse_nonsense(response)
        answer = response.json()
        lasts_s = float(answer["expires_in"])
        _tokens[key] = (str(answer["access_token"]), time.monotonic() + min(lasts_s, 300.0) - TOKEN_SPARE_S)
        return str(answer["access_token"])

    def forget(self) -> None:
        """Forget this client's token: the next call asks for another."""
        _tokens.pop((self.server.url, self.realm, self.client_id, self.secret), None)


def provisioner(server: KeycloakServer) -> Api:
    """Return the way in of the client that may make realms and nothing else."""
    return Api(server, "master", server.provisioner_id, server.provisioner_secret.get_secret_value())


def realm_is_there(server: KeycloakServer, realm: str) -> bool:
    """Say whether the server has a realm of this name, whoever made it. Needs no rights."""
    response = exchange("GET", f"{server.url}/realms/{realm}")
    if response.status_code not in (200, 404):
        raise refusal(response)
    return response.status_code == 200
