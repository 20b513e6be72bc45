from typing import Any

import jwt
from django.conf import settings
from django.utils.translation import gettext
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from accounts.clients.models import ApiClient
from accounts.clients.selectors import find_calling
from accounts.clients.services import note_use
from accounts.identity.models import API_CLIENT_PREFIX
from accounts.identity.realms import RealmRef, current_realm
from accounts.identity.verification import verify_access_token
from accounts.operators.models import Operator
from accounts.people.selectors import find_bearer
from accounts.principals import Principal
from core.tenancy import current


class BearerAuthentication(authentication.BaseAuthentication):
    """Takes an access token of the current address's realm: a person's on a tenant, an operator's on the platform; and
    that of an API client on both.
    """

    def authenticate(self, request: Request) -> tuple[Principal | ApiClient, dict[str, Any]] | None:
        scheme, _, token = authentication.get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        realm = current_realm()
        try:
            claims = verify_access_token(realm, token.strip().decode("ascii"), audience=settings.API_AUDIENCE)
        except (jwt.PyJWTError, UnicodeDecodeError):
            raise exceptions.AuthenticationFailed(
                gettext("It is not valid at this address, or has expired. Get a new one.")
            ) from None
        principal = _principal(realm, claims)
        if principal is None:
            raise exceptions.AuthenticationFailed(gettext("It belongs to nobody here, or to somebody who is disabled."))
        return principal, claims

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="plexica"'


def _principal(realm: RealmRef, claims: dict[str, Any]) -> Principal | ApiClient | None:
    subject, client_id = str(claims["sub"]), str(claims.get("client_id") or claims.get("azp") or "")
    if client_id.startswith(API_CLIENT_PREFIX):
        client = find_calling(realm_id=realm.id, client_id=client_id, subject=subject)
        if client:
            note_use(client)
        return client
    if current():
        return find_bearer(realm_id=realm.id, subject=subject)
    return Operator.objects.filter(realm_id=realm.id, subject=subject, is_active=True).first()


class BrowserSessionAuthentication(authentication.SessionAuthentication):
    """Takes the session of a signed-in page, with its CSRF token."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        user = request._request.user
        if not isinstance(user, Principal):
            return None
        self.enforce_csrf(request)
        return user, None


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = BrowserSessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
