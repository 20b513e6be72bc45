"""The relying party: one path for every issuer. mozilla-django-oidc, its settings resolved for the realm at hand.

What the library leaves open is closed here: issuer, audience and azp of the ID token, matching by realm and subject,
keys from the cache, time limits, endpoints looked up when they are needed, disabled people.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import requests
import structlog
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.utils import import_from_settings
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from accounts.identity.addresses import callback_url, origin
from accounts.identity.discovery import discover
from accounts.identity.realms import RealmRef, current_realm
from accounts.identity.token_endpoint import GrantRefused, Tokens, exchange
from accounts.identity.transport import TIMEOUT_S, session_for
from accounts.identity.verification import verify_token
from accounts.operators.models import Operator
from accounts.people.invitations.acceptance import admit
from accounts.people.models import Person
from accounts.principals import Principal
from accounts.sessions.middleware import session_id_of
from accounts.sessions.models import SESSION_ID
from accounts.sessions.services import begin_session, end_session
from core.errors import Rejected, Unavailable
from core.tenancy import current
from core.web.addresses import ip_of

log = structlog.get_logger(__name__)
INVITATION = "invitation"  # in the session: the hash of the token of an invitation that this browser opened
ENDPOINTS = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": "authorization_endpoint",
    "OIDC_OP_USER_ENDPOINT": "userinfo_endpoint",
    "OIDC_OP_JWKS_ENDPOINT": "jwks_uri",
}


def realm_setting(name: str, *default: Any) -> Any:
    """Return a setting of mozilla-django-oidc as it is for the current realm."""
    if name in ENDPOINTS:
        return discover(current_realm()).get(ENDPOINTS[name])
    if name == "OIDC_RP_CLIENT_ID":
        return current_realm().client_id
    if name == "OIDC_RP_CLIENT_SECRET":
        return current_realm().client_secret
    return import_from_settings(name, *default)


class AuthenticateView(OIDCAuthenticationRequestView):  # type: ignore[misc]
    """Sends the browser to the realm's sign-in page, with state, nonce and PKCE."""

    get_settings = staticmethod(realm_setting)

    def get(self, request: HttpRequest) -> HttpResponse:
        response: HttpResponse = super().get(request)
        # the library keeps one address for the whole session: of two tabs, the second would send the first elsewhere
        onward = request.session.pop("oidc_login_next", None)
        state = parse_qs(urlsplit(response["Location"]).query)["state"][0]
        request.session["oidc_states"][state]["next"] = onward
        return response

    def get_extra_params(self, request: HttpRequest) -> dict[str, Any]:
        """Name our callback ourselves: the library takes the port from what the visitor wrote."""
        return {**super().get_extra_params(request), "redirect_uri": callback_url()}


class CallbackView(OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """Takes the browser back from the issuer."""

    get_settings = staticmethod(realm_setting)

    def get(self, request: HttpRequest) -> HttpResponse:
        issuer = request.GET.get("iss")  # RFC 9207
        if issuer and issuer != current_realm().issuer:
            raise SuspiciousOperation("the answer comes from another issuer")
        asked = request.session.get("oidc_states", {}).get(request.GET.get("state"))
        if request.GET.get("error") and asked is None:  # the library would sign the person out
            raise SuspiciousOperation("the answer belongs to no question")
        self.onward = (asked or {}).get("next")
        if asked is None and isinstance(request.user, Principal):  # the Back button, or a second click
            return HttpResponseRedirect(self.success_url)
        response: HttpResponse = super().get(request)
        return response

    def login_success(self) -> HttpResponse:
        """Sign in under a new session key, whoever was signed in with this browser before."""
        request, user = self.request, self.user
        if before := session_id_of(request):
            if isinstance(request.user, Principal):
                end_session(principal=request.user, session_id=before, how="signed_out")
            request.session.flush()
        session = begin_session(
            principal=user,
            realm=current_realm(),
            tokens=user.granted.tokens,
            claims=user.granted.claims,
            user_agent=request.headers.get("User-Agent", ""),
            address=ip_of(request),
        )
        request.session.cycle_key()
        rotate_token(request)
        request.session[SESSION_ID] = str(session.pk)
        return HttpResponseRedirect(self.success_url)

    @property
    def success_url(self) -> str:
        """Where the person wanted to go, else the start page of the portal."""
        return self.onward or ("/" if current() else "/console/")

    @property
    def failure_url(self) -> str:
        return "/sign-in-failed/"


@dataclass(frozen=True, slots=True)
class Granted:
    """What a code bought: tokens, and what the ID token and userinfo say of the person."""

    tokens: Tokens
    claims: dict[str, Any]


class RealmBackend(OIDCAuthenticationBackend):  # type: ignore[misc]
    """Turns a code into a person of the tenant, or into an operator on the platform's own address."""

    get_settings = staticmethod(realm_setting)

    def __init__(self) -> None:
        # the library's own __init__ reads every endpoint, for each request that has a session
        self.OIDC_RP_SIGN_ALGO = "RS256"

    OIDC_OP_USER_ENDPOINT = property(lambda self: realm_setting("OIDC_OP_USER_ENDPOINT"))
    OIDC_RP_CLIENT_ID = property(lambda self: realm_setting("OIDC_RP_CLIENT_ID"))
    OIDC_RP_CLIENT_SECRET = property(lambda self: realm_setting("OIDC_RP_CLIENT_SECRET"))

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> Person | Operator | None:
        if not kwargs.get("nonce"):  # a password for the issuer: not ours to check
            return None
        try:
            user: Person | Operator | None = super().authenticate(request, **kwargs)
        except (requests.RequestException, TimeoutError, jwt.PyJWTError, SuspiciousOperation, GrantRefused) as error:
            log.warning("sign_in_refused", error=str(error))
            return None
        return user

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        self._tokens = exchange(current_realm(), {**payload, "redirect_uri": callback_url()})
        return {"id_token": self._tokens.id_token, "access_token": self._tokens.access_token}

    def store_tokens(self, access_token: str, id_token: str) -> None:
        """They are kept encrypted with the browser session, not in Django's."""

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        realm = current_realm()
        claims = verify_token(realm, token, audience=realm.client_id)
        if claims.get("typ", "ID") != "ID":
            raise SuspiciousOperation("not an ID token")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else realm.client_id) != realm.client_id:
            raise SuspiciousOperation("the token was given to another client")
        if claims.get("nonce") != kwargs.get("nonce"):
            raise SuspiciousOperation("the token answers another request")
        return claims

    def get_userinfo(self, access_token: str, id_token: str, payload: dict[str, Any]) -> dict[str, Any]:
        if "email" in payload:
            return payload
        realm = current_realm()
        headers = {"Authorization": f"Bearer {access_token}"}
        response = session_for(realm).get(
            self.OIDC_OP_USER_ENDPOINT, headers=headers, timeout=TIMEOUT_S, allow_redirects=False
        )
        response.raise_for_status()
        if response.json().get("sub") != payload["sub"]:
            raise SuspiciousOperation("userinfo tells of somebody else")
        return {**payload, **response.json()}

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> Person | Operator | None:
        claims = self.get_userinfo(access_token, id_token, payload)
        realm = current_realm()
        user = self._person(realm, claims) if current() else self._operator(realm, claims)
        if user is not None:
            user.granted = Granted(self._tokens, claims)  # type: ignore[union-attr]
        return user

    def _person(self, realm: RealmRef, claims: dict[str, Any]) -> Person | None:
        email = str(claims.get("email", ""))
        person = admit(
            realm=realm,
            subject=str(claims["sub"]),
            email=email,
            name=str(claims.get("name") or email),
            invitation=self.request.session.pop(INVITATION, ""),
        )
        return person if person is not None and person.is_active else None

    def _operator(self, realm: RealmRef, claims: dict[str, Any]) -> Operator | None:
        """Operators are never made by signing in: `manage.py create_operator` does."""
        return Operator.objects.filter(realm_id=realm.id, subject=str(claims["sub"]), is_active=True).first()


def end_session_url(*, id_token: str) -> str:
    """Return where the browser goes to end its session at the issuer; the issuer sends it back to the front page."""
    realm = current_realm()
    back = f"{origin()}/"
    try:
        endpoint = discover(realm).get("end_session_endpoint")
    except (Unavailable, Rejected):  # signing out here must not wait for it
        endpoint = None
    if not endpoint:
        return back
    parameters = {"client_id": realm.client_id, "post_logout_redirect_uri": back}
    if id_token:
        parameters["id_token_hint"] = id_token
    return f"{endpoint}?{urlencode(parameters)}"
