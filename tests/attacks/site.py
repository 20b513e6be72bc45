"""A tenant with its issuer, whichever that is, and everything that somebody who means no good can ask of both."""

import base64
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

from core.tenancy import enter
from tests.support import keycloak, people
from tests.support.browser import Visitor
from tests.support.issuer import CLI, WEB, pkce, query_of
from tests.support.people import PASSWORD
from tests.support.threads import run_apart
from tests.support.walk import Walk

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
ME = "/api/v1/me/"


@dataclass(frozen=True)
class Somebody:
    """A person of the site, with an account at its issuer."""

    email: str
    subject: str
    person_id: Any


class Site:
    """A tenant at the built-in issuer or at a Keycloak. `staff`: the roles of its people, one each."""

    def __init__(self, tenant: Any, staff: tuple[str, ...] = ("admin", "user")) -> None:
        from accounts.identity.addresses import callback_url
        from accounts.identity.models import Realm

        self.tenant, self.ref = tenant, tenant.ref
        self.program = Visitor(self.ref)
        with enter(self.ref):
            realm = Realm.objects.get(is_current=True)
            self.callback = callback_url()
        self.is_builtin = realm.provider == "builtin"
        self.issuer = f"{self.callback.partition('/oidc/')[0]}/op" if self.is_builtin else realm.issuer
        self.realm_id, self.secret, self.admin_secret = realm.pk, realm.client_secret, realm.admin_secret
        self.said = self.ask("GET", f"{self.issuer}/.well-known/openid-configuration").json()
        self._known: dict[str, Walk] = {}
        self._own_key: tuple[str, Any] | None = None
        self.people = {role: self.newcomer(role) for role in staff}

    # --- people and their browsers ----------------------------------------------------------------

    def newcomer(self, role: str = "user") -> Somebody:
        """Make somebody with an account and a role, whom no other test knows."""
        from accounts.identity import provider
        from accounts.identity.realms import current_realm
        from accounts.people.services import add_person

        email = f"{role}-{secrets.token_hex(4)}@people.example"
        made = provider().make_account(self.ref, email=email, name=role.title(), password=PASSWORD)
        with enter(self.ref):
            person = add_person(realm=current_realm(), subject=made.subject, email=email, name=role.title(), role=role)
        return Somebody(email, made.subject, person.pk)

    def sign_in(self, who: Somebody) -> Walk:
        """Sign in with a browser of its own."""
        return Walk(self.ref).sign_in(who.email, PASSWORD)

    def browser(self, role: str = "user") -> Walk:
        """A browser in which one of the people is signed in, here and at the issuer. It may not sign out."""
        known = self._known.get(role)
        if known is None:
            known = self._known[role] = run_apart(lambda: self.sign_in(self.people[role]))
        return self.copy_of(known)

    def forget(self, role: str) -> None:
        """Let one of the people sign in anew the next time."""
        self._known.pop(role, None)

    def copy_of(self, walk: Walk) -> Walk:
        """Another browser with all cookies of this one."""
        copy = Walk(self.ref)
        copy.pages = Visitor(self.ref, cookies=walk.pages.cookies)
        copy.issuer.cookies.update(walk.issuer.cookies)
        return copy

    def known_at_issuer(self, role: str = "user") -> Walk:
        """A browser whose owner the issuer knows and pages do not: a sign-in needs no password."""
        walk = self.browser(role)
        kept = {name: morsel for name, morsel in walk.pages.cookies.items() if name == settings.ISSUER_COOKIE_NAME}
        walk.pages = Visitor(self.ref, cookies=kept)
        return walk

    def stranger(self) -> Walk:
        """A browser of somebody whom nobody knows."""
        return Walk(self.ref)

    def api(self, token: str, method: str = "GET", path: str = ME, **sent: Any) -> Any:
        """Call the tenant's API with a bearer token, without cookies."""
        return Visitor(self.ref).api(method, path, token=token, **sent)

    def refuses(self, token: str) -> bool:
        """Say whether the API refuses a bearer token as it should: as no token of this address."""
        answer = self.api(token)
        return answer.status_code == 401 and answer.json()["code"] == "token_refused"

    # --- the issuer's endpoints -------------------------------------------------------------------

    def ask(self, method: str, address: str, **sent: Any) -> Any:
        """Call the issuer as a program does: without cookies, following nothing. `data` is a form."""
        if not self.is_builtin:
            return requests.request(method, address, timeout=60, allow_redirects=False, **sent)
        headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in sent.get("headers", {}).items()}
        if method == "POST":
            return self.program.form(address, sent.get("data", {}), **headers)
        return self.program.get(address, **headers)

    def authorize(self, walk: Walk, **changes: str | None) -> tuple[Any, str]:
        """Ask for a code in somebody's browser; return the answer and the PKCE verifier."""
        verifier, challenge = pkce()
        asked: dict[str, str | None] = {
            "response_type": "code", "client_id": WEB, "redirect_uri": self.callback, "scope": "openid email profile",
            "state": "a-state", "nonce": "a-nonce", "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        sent = {name: value for name, value in (asked | changes).items() if value is not None}
        return walk.ask_issuer(f"{self.said['authorization_endpoint']}?{urlencode(sent)}"), verifier

    def code(self, walk: Walk) -> tuple[str, str]:
        """Return a code of whoever is signed in, and its verifier."""
        answer, verifier = self.authorize(walk)
        return query_of(answer.headers)["code"], verifier

    def token(self, **data: str | None) -> Any:
        """Call the token endpoint as the pages' client."""
        sent: dict[str, str | None] = {"client_id": WEB, "client_secret": self.secret, **data}
        form = {name: value for name, value in sent.items() if value is not None}
        return self.ask("POST", self.said["token_endpoint"], data=form)

    def exchange(self, code: str, verifier: str | None, **changes: str | None) -> Any:
        """Send a code to the token endpoint."""
        sent: dict[str, str | None] = {"redirect_uri": self.callback, "code_verifier": verifier, **changes}
        return self.token(grant_type="authorization_code", code=code, **sent)

    def tokens(self, walk: Walk) -> dict[str, str]:
        """Return the tokens of whoever is signed in."""
        answer = self.exchange(*self.code(walk))
        assert answer.status_code == 200, answer.content
        found: dict[str, str] = answer.json()
        return found

    def refresh(self, refresh_token: str, **changes: str | None) -> Any:
        """Ask for new tokens."""
        return self.token(grant_type="refresh_token", refresh_token=refresh_token, **changes)

    def userinfo(self, token: str) -> Any:
        """Ask the issuer who a token belongs to."""
        return self.ask("GET", self.said["userinfo_endpoint"], headers={"Authorization": f"Bearer {token}"})

    # --- programs ---------------------------------------------------------------------------------

    def ask_device(self, **changes: str) -> Any:
        """Begin the device flow as the command line does."""
        return self.ask(
            "POST", self.said["device_authorization_endpoint"], data={"client_id": CLI, "scope": "openid", **changes}
        )

    def poll(self, asked: dict[str, Any], **changes: str | None) -> Any:
        """Ask once whether somebody has said yes."""
        sent: dict[str, str | None] = {"client_id": CLI, "client_secret": None, "device_code": asked["device_code"]}
        return self.token(grant_type=DEVICE, **(sent | changes))

    def type_code(self, walk: Walk, user_code: str) -> Any:
        """Type a program's code at the issuer, and return the page that answers: a question or a refusal."""
        if self.is_builtin:
            page = walk.pages.post("/op/device/", {"user_code": user_code})
            return walk.pages.get(page["Location"]) if page.status_code == 302 else page
        return keycloak.follow(walk.issuer, f"{self.issuer}/device?{urlencode({'user_code': user_code})}")

    def approve(self, walk: Walk, asked: dict[str, Any]) -> None:
        """Let a program act for whoever is signed in."""
        page = self.type_code(walk, asked["user_code"])
        assert page.status_code == 200, page.status_code
        if self.is_builtin:
            done = walk.pages.post(page.request["PATH_INFO"], {"action": "allow"}, page=page)
            assert done.status_code == 302, done.content
        else:
            keycloak.say_yes(walk.issuer, page)

    # --- keys -------------------------------------------------------------------------------------

    def sign(self, claims: dict[str, Any], *, key: Any = None, **header: Any) -> str:
        """Sign claims with a key that the realm publishes, as the realm would, or with another key."""
        kid, own = self.own_key()
        kind = "at+jwt" if self.is_builtin else "JWT"
        said = {"kid": kid, "typ": kind, **header}
        return jwt.encode(claims, key or own, algorithm="RS256", headers=said)

    def own_key(self) -> tuple[str, Any]:
        """Return the id and the private half of a key of the realm's. At a Keycloak, which gives none away, it is one
        that the realm is given beside its own, and publishes as it does its own.
        """
        if self._own_key is None:
            self._own_key = self._builtin_key() if self.is_builtin else self._add_key()
        return self._own_key

    def _builtin_key(self) -> tuple[str, Any]:
        from accounts.identity.models import SigningKey

        with enter(self.ref):
            own = SigningKey.objects.signing()
        return own.kid, serialization.load_pem_private_key(own.private_pem.encode(), None)

    def _add_key(self) -> tuple[str, Any]:
        from accounts.identity.keycloak.provider import KeycloakProvider

        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        before = {key["kid"] for key in self.published_keys()}
        component = {
            "name": "of the tests", "providerId": "rsa", "providerType": "org.keycloak.keys.KeyProvider",
            "config": {"priority": ["1"], "enabled": ["true"], "active": ["true"], "privateKey": [pem]},
        }  # fmt: skip
        KeycloakProvider().api(self.ref).call("POST", f"/{self.ref.slug}/components", json=component)
        (kid,) = {key["kid"] for key in self.published_keys()} - before
        return str(kid), private

    def published_keys(self) -> list[dict[str, Any]]:
        """Return the realm's public keys for signatures."""
        keys = self.ask("GET", self.said["jwks_uri"]).json()["keys"]
        return [key for key in keys if key.get("use", "sig") == "sig"]

    def public_secrets(self, kid: str) -> list[bytes]:
        """Return the public key in every form that a careless server could take for a shared secret."""
        (jwk,) = (key for key in self.published_keys() if key["kid"] == kid)
        public: Any = jwt.PyJWK(jwk, algorithm="RS256").key
        formats = serialization.PublicFormat
        pem = public.public_bytes(serialization.Encoding.PEM, formats.SubjectPublicKeyInfo)
        der = public.public_bytes(serialization.Encoding.DER, formats.SubjectPublicKeyInfo)
        certificates = [base64.b64decode(one) for one in jwk.get("x5c", [])]
        return [pem, pem.strip(), der, jwk["n"].encode(), *certificates]


def make_site(kind: str, **inputs: Any) -> Site:
    """Provision a tenant whose realm is at the built-in issuer or at a Keycloak."""
    from django.test import override_settings

    with override_settings(IDENTITY_PROVIDER=kind):
        return Site(people.provision(**inputs))


def begin(walk: Walk, to: str = "/") -> dict[str, str]:
    """Begin a sign-in in a browser; return what the issuer is asked, without going there."""
    return query_of(walk.pages.get(f"/oidc/authenticate/?next={to}"))


def answer_of_issuer(walk: Walk, to: str = "/") -> str:
    """Begin a sign-in in the browser of somebody whom the issuer knows; return the callback's address, with the code."""
    answer = walk.start(to)
    assert answer.status_code in (302, 303), answer.status_code
    return str(answer.headers["Location"])


def query(address: str) -> dict[str, str]:
    """Return the query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def is_signed_in(walk: Walk) -> bool:
    """Say whether pages know who has this browser."""
    return bool(walk.pages.get("/profile/").status_code == 200)
