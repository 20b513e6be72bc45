"""Speaks OpenID Connect by hand with a tenant's built-in issuer, as an attacker or another program would."""

import base64
import hashlib
import secrets
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt

from core.tenancy import TenantRef, enter, enter_platform
from tests.support.browser import Visitor

WEB, CLI = "plexica-web", "plexica-cli"


def pkce() -> tuple[str, str]:
    """Return a verifier and its S256 challenge."""
    verifier = secrets.token_urlsafe(48)
    return verifier, base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def query_of(response: Any) -> dict[str, str]:
    """Return the query of the address that a response redirects to."""
    return {name: values[0] for name, values in parse_qs(urlsplit(response.get("Location", "")).query).items()}


class Issuer:
    """The built-in issuer of a tenant, or of the platform (None)."""

    def __init__(self, tenant: TenantRef | None) -> None:
        from accounts.identity.addresses import builtin_issuer, callback_url
        from accounts.identity.models import Realm

        self.program = Visitor(tenant)
        with enter(tenant) if tenant else enter_platform():
            self.issuer, self.callback = builtin_issuer(), callback_url()
            self.secret = Realm.objects.get(is_current=True).client_secret

    def authorize(self, visitor: Visitor, **changes: str | None) -> tuple[Any, str]:
        """Ask for a code in a visitor's browser; return the answer and the PKCE verifier."""
        verifier, challenge = pkce()
        asked: dict[str, str | None] = {
            "response_type": "code", "client_id": WEB, "redirect_uri": self.callback, "scope": "openid email profile",
            "state": "a-state", "nonce": "a-nonce", "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        asked |= changes
        return visitor.get(f"/op/authorize/?{urlencode({k: v for k, v in asked.items() if v is not None})}"), verifier

    def code(self, visitor: Visitor, **changes: str | None) -> tuple[str, str]:
        """Return a code for a signed-in visitor, and its verifier."""
        answer, verifier = self.authorize(visitor, **changes)
        assert answer.status_code == 302, answer.content[:500]
        return query_of(answer)["code"], verifier

    def exchange(self, code: str, verifier: str | None, **changes: str | None) -> Any:
        """Send a code to the token endpoint."""
        return self.token(
            grant_type="authorization_code", code=code, code_verifier=verifier, redirect_uri=self.callback, **changes
        )

    def token(self, **data: str | None) -> Any:
        """Call the token endpoint as the pages' client."""
        sent: dict[str, str | None] = {"client_id": WEB, "client_secret": self.secret, **data}
        return self.program.form("/op/token/", {name: value for name, value in sent.items() if value is not None})

    def tokens(self, visitor: Visitor) -> dict[str, str]:
        """Return the tokens of a signed-in visitor."""
        code, verifier = self.code(visitor)
        answer = self.exchange(code, verifier)
        assert answer.status_code == 200, answer.content
        found: dict[str, str] = answer.json()
        return found

    def refresh(self, refresh_token: str, **changes: str | None) -> Any:
        """Ask for new tokens with a refresh token."""
        return self.token(grant_type="refresh_token", refresh_token=refresh_token, **changes)

    def userinfo(self, token: str) -> Any:
        """Ask the issuer who a token belongs to."""
        return self.program.get("/op/userinfo/", HTTP_AUTHORIZATION=f"Bearer {token}")


def claims_of(token: str) -> dict[str, Any]:
    """Return a token's claims without checking them."""
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found
