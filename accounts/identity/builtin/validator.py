from typing import Any

import jwt
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.utils import jwk_from_pem

from accounts.identity.models import SigningKey

SESSION = "session"


class RealmValidator(OAuth2Validator):  # type: ignore[misc]
    """django-oauth-toolkit's rules, with the realm's own keys and without disabled people."""

    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        account = request.user
        told = getattr(
            request, "claims", None
        )  # what the code was bought with; at other times a program may have sent it
        session = told.get(SESSION, {}) if isinstance(told, dict) else {}
        return {
            **session,
            "email": account.email,
            "email_verified": True,
            "name": account.name,
            "preferred_username": account.email,
        }

    def _create_authorization_code(self, request: Any, code: Any, expires: Any = None) -> Any:
        """Let the code remember the issuer's session, which the token endpoint does not see."""
        request.claims = {SESSION: request.user.session_claims}
        return super()._create_authorization_code(request, code, expires)

    def validate_jwt_bearer_token(self, token: str, scopes: Any, request: Any) -> bool:
        """Treat what starts like a JWT as an access token; an ID token is no credential."""
        return self.validate_bearer_token(token, scopes, request)

    def validate_bearer_token(self, token: str, scopes: Any, request: Any) -> bool:
        valid = super().validate_bearer_token(token, scopes, request)
        return bool(valid and (request.user is None or request.user.is_active))

    def validate_silent_login(self, request: Any) -> bool:
        """Answer `prompt=none`: the view has looked for the session already, and sends those without one back."""
        return True

    def validate_silent_authorization(self, request: Any) -> bool:
        """No client that gets codes asks for consent."""
        return True

    def validate_code(self, client_id: str, code: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        valid = super().validate_code(client_id, code, client, request, *args, **kwargs)
        return bool(valid and request.user.is_active)

    def validate_refresh_token(self, refresh_token: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        valid = super().validate_refresh_token(refresh_token, client, request, *args, **kwargs)
        return bool(valid and (request.user is None or request.user.is_active))

    def _get_key_for_token(self, token: str) -> Any:
        """Find the key by its id, so that hints signed before a rotation still count."""
        kid = jwt.get_unverified_header(token).get("kid")
        for key in SigningKey.objects.published():
            if key.kid == kid:
                return jwk_from_pem(key.private_pem)
        return None
