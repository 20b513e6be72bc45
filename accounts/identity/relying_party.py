"""The relying party: one path for every issuer. mozilla-django-oidc, its settings resolved for the realm at hand.

What the library leaves open is closed here: issuer, audience and azp of the ID token, matching by realm and subject,
keys from the cache, time limits, endpoints looked up when they are needed, disabled people.
"""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import jwt
import requests
import structlog
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.utils import import_from_settings
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from accounts.identity.addresses import origin
from accounts.identity.discovery import discover
from accounts.identity.realms import RealmRef, current_realm
from accounts.identity.transport import TIMEOUT_S, session_for
from accounts.identity.verification import verify_token
from accounts.operators.models import Operator
from accounts.operators.services import record_sign_in as record_operator_sign_in
from accounts.people.models import Person
from accounts.people.selectors import find_signed_in
from accounts.people.services import add_person, record_sign_in
from core.errors import Unavailable
from core.tenancy import current

log = structlog.get_logger(__name__)
ENDPOINTS = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": "authorization_endpoint",
    "OIDC_OP_TOKEN_ENDPOINT": "token_endpoint",
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


class CallbackView(OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """Takes the browser back from the issuer."""

    get_settings = staticmethod(realm_setting)

    def get(self, request: HttpRequest) -> HttpResponse:
        issuer = request.GET.get("iss")  # RFC 9207
        if issuer and issuer != current_realm().issuer:
            raise SuspiciousOperation("the answer comes from another issuer")
        asked = request.session.get("oidc_states", {})
        if request.GET.get("error") and request.GET.get("state") not in asked:  # the library would sign the person out
            raise SuspiciousOperation("the answer belongs to no question")
        response: HttpResponse = super().get(request)
        return response

    @property
    def success_url(self) -> str:
        """Where the person wanted to go, else the start page of the portal."""
        fallback = "/" if current() else "/console/"
        return self.request.session.pop("oidc_login_next", None) or fallback

    @property
    def failure_url(self) -> str:
        return "/sign-in-failed/"


class RealmBackend(OIDCAuthenticationBackend):  # type: ignore[misc]
    """Turns a code into a person of the tenant, or into an operator on the platform's own address."""

    get_settings = staticmethod(realm_setting)

    def __init__(self) -> None:
        # the library's own __init__ reads every endpoint, for each request that has a session
        self.OIDC_RP_SIGN_ALGO = "RS256"

    OIDC_OP_TOKEN_ENDPOINT = property(lambda self: realm_setting("OIDC_OP_TOKEN_ENDPOINT"))
    OIDC_OP_USER_ENDPOINT = property(lambda self: realm_setting("OIDC_OP_USER_ENDPOINT"))
    OIDC_RP_CLIENT_ID = property(lambda self: realm_setting("OIDC_RP_CLIENT_ID"))
    OIDC_RP_CLIENT_SECRET = property(lambda self: realm_setting("OIDC_RP_CLIENT_SECRET"))

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> Person | Operator | None:
        if not kwargs.get("nonce"):  # a password for the issuer: not ours to check
            return None
        try:
            user: Person | Operator | None = super().authenticate(request, **kwargs)
        except (requests.RequestException, TimeoutError, jwt.PyJWTError, SuspiciousOperation) as error:
            log.warning("sign_in_refused", error=str(error))
            return None
        return user

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        realm = current_realm()
        response = session_for(realm).post(
            self.OIDC_OP_TOKEN_ENDPOINT, data=payload, timeout=TIMEOUT_S, allow_redirects=False
        )
        if response.status_code >= 500:
            raise Unavailable(part="issuer")
        self.raise_token_response_error(response)
        tokens: dict[str, Any] = response.json()
        return tokens

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        realm = current_realm()
        claims = verify_token(realm, token, audience=realm.client_id)
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != realm.client_id:
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
        return self._person(realm, claims) if current() else self._operator(realm, claims)

    def _person(self, realm: RealmRef, claims: dict[str, Any]) -> Person | None:
        email = str(claims.get("email", ""))
        person = add_person(
            realm=realm, subject=str(claims["sub"]), email=email, name=str(claims.get("name") or email), role="user"
        )
        if not person.is_active:
            return None
        record_sign_in(person=person, email=email)
        return person

    def _operator(self, realm: RealmRef, claims: dict[str, Any]) -> Operator | None:
        """Operators are never made by signing in: `manage.py create_operator` does."""
        operator = Operator.objects.filter(realm_id=realm.id, subject=str(claims["sub"]), is_active=True).first()
        if operator:
            record_operator_sign_in(operator=operator)
        return operator

    def get_user(self, user_id: UUID) -> Person | Operator | None:
        if current():
            return find_signed_in(user_id)
        return Operator.objects.filter(pk=user_id, is_active=True).first()


def end_session_url(request: HttpRequest) -> str:
    """Return where the browser goes to end its session at the issuer; the issuer sends it back to the front page."""
    realm = current_realm()
    back = f"{origin()}/"
    endpoint = discover(realm).get("end_session_endpoint")
    if not endpoint:
        return back
    parameters = {"client_id": realm.client_id, "post_logout_redirect_uri": back}
    if hint := request.session.get("oidc_id_token"):
        parameters["id_token_hint"] = hint
    return f"{endpoint}?{urlencode(parameters)}"
