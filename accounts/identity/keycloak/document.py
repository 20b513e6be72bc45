"""The realm as Keycloak is asked to make it: everything in one document, so that one call makes all of it or nothing."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Any

from django.conf import settings

from accounts.identity.models import CLI_CLIENT_ID, WEB_CLIENT_ID

ADMIN_CLIENT_ID = "plexica-admin"
THEME = "plexica"
SESSION_S = 12 * 3600
TOKEN_S = 300
RULES_FOR_PASSWORDS = "length(12) and maxLength(256) and notUsername(undefined) and notEmail(undefined)"
TENANT_ROLES = ("admin", "user", "guest")
PLATFORM_ROLES = ("super_admin", "support")
OWN_SCOPES: dict[str, Any] = {
    "fullScopeAllowed": False,  # tokens carry no roles of Keycloak's: rows of ours say who may what
    "defaultClientScopes": ["basic", "email", "profile"],
    "optionalClientScopes": [],
}
_NAME = {"view": ["admin", "user"], "edit": ["admin", "user"]}
_FIXED = {"view": ["admin", "user"], "edit": ["admin"]}
# Keycloak's own profile wants a last name, and refuses names such as "Ann (IT)"; ours is one name of any form
_PROFILE = {
    "attributes": [
        {"name": "username", "displayName": "${username}", "permissions": _FIXED, "validations": {"length": {"max": 255}}},
        {
            "name": "email",
            "displayName": "${email}",
            "permissions": _FIXED,
            "required": {"roles": ["user"]},
            "validations": {"email": {}, "length": {"max": 255}},
        },
        {"name": "firstName", "displayName": "${profile.name}", "permissions": _NAME, "validations": {"length": {"max": 255}}},
    ]
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a realm's own clients prove themselves with."""

    web: str = field(repr=False)
    admin: str = field(repr=False)


def realm_document(
    *,
    name: str,
    display_name: str,
    origin: str,
    secure: bool,
    language: str,
    secrets: Secrets,
    is_platform: bool,
    users: Iterable[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Return a realm for people at `origin`, which is the address of a tenant or of the platform."""
    return {
        "realm": name,
        "displayName": display_name,
        "enabled": True,
        "sslRequired": "external" if secure else "none",
        "loginTheme": THEME,
        "internationalizationEnabled": True,
        "supportedLocales": [code for code, _ in settings.LANGUAGES],
        "defaultLocale": language or settings.LANGUAGE_CODE,
        "roles": {"realm": [{"name": role} for role in (PLATFORM_ROLES if is_platform else TENANT_ROLES)]},
        "clients": _clients(origin, secrets),
        "users": [_admin_user(), *users],
        "components": _components(),
        **_sign_in_rules(),
        **_lifetimes(),
        **_mail(),
    }


def audience_mapper() -> dict[str, Any]:
    """Return what puts our API into the audience of a client's access tokens."""
    return {
        "name": "api audience",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {
            "included.custom.audience": settings.API_AUDIENCE,
            "access.token.claim": "true",
            "id.token.claim": "false",
            "introspection.token.claim": "true",
        },
    }


def api_client(*, client_id: str, name: str, secret: str) -> dict[str, Any]:
    """Return a client for a program that acts for itself, with client credentials."""
    return {
        "clientId": client_id,
        "name": name,
        "secret": secret,
        "publicClient": False,
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "protocolMappers": [audience_mapper()],
        **OWN_SCOPES,
        "defaultClientScopes": ["basic"],
    }


def _clients(origin: str, secrets: Secrets) -> list[dict[str, Any]]:
    common = {"directAccessGrantsEnabled": False, "protocolMappers": [audience_mapper()], **OWN_SCOPES}
    web = {
        "clientId": WEB_CLIENT_ID,
        "name": "Plexica",
        "secret": secrets.web,
        "publicClient": False,
        "standardFlowEnabled": True,
        "redirectUris": [f"{origin}/oidc/callback/"],
        "webOrigins": [],
        "attributes": {
            "pkce.code.challenge.method": "S256",
            "post.logout.redirect.uris": f"{origin}/",
            "backchannel.logout.url": f"{origin}/oidc/backchannel-logout/",
            "backchannel.logout.session.required": "true",
        },
        **common,
    }
    command_line = {
        "clientId": CLI_CLIENT_ID,
        "name": "Plexica command line",
        "publicClient": True,
        "standardFlowEnabled": False,
        "attributes": {"oauth2.device.authorization.grant.enabled": "true"},
        **common,
    }
    admin = {
        "clientId": ADMIN_CLIENT_ID,
        "name": "Plexica's own administration of this realm",
        "secret": secrets.admin,
        "publicClient": False,
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": False,
        "directAccessGrantsEnabled": False,
    }
    # Keycloak makes these two for every realm, the first with the password grant
    unused = [
        {"clientId": client_id, "publicClient": True, "enabled": False, "standardFlowEnabled": False}
        for client_id in ("admin-cli", "security-admin-console")
    ]
    return [web, command_line, admin, *unused]


def _admin_user() -> dict[str, Any]:
    return {
        "username": f"service-account-{ADMIN_CLIENT_ID}",
        "enabled": True,
        "serviceAccountClientId": ADMIN_CLIENT_ID,
        "clientRoles": {"realm-management": ["realm-admin"]},
    }


def _components() -> dict[str, Any]:
    """Our profile of people, and only the keys that are used: an RSA key for encryption would be made as well."""
    keys = {
        "rsa-generated": {"algorithm": ["RS256"], "keySize": ["2048"]},
        "hmac-generated": {"algorithm": ["HS512"]},
        "aes-generated": {},
    }
    return {
        "org.keycloak.userprofile.UserProfileProvider": [
            {"providerId": "declarative-user-profile", "config": {"kc.user.profile.config": [json.dumps(_PROFILE)]}}
        ],
        "org.keycloak.keys.KeyProvider": [
            {"name": provider, "providerId": provider, "config": {"priority": ["100"], **config}}
            for provider, config in keys.items()
        ],
    }


def _sign_in_rules() -> dict[str, Any]:
    return {
        "registrationAllowed": False,
        "registrationEmailAsUsername": True,
        "loginWithEmailAllowed": True,
        "duplicateEmailsAllowed": False,
        "editUsernameAllowed": False,
        "rememberMe": False,
        "passwordPolicy": RULES_FOR_PASSWORDS,
        "bruteForceProtected": True,
        "permanentLockout": False,
        "failureFactor": 10,
        "waitIncrementSeconds": 60,
        "maxFailureWaitSeconds": 900,
        "minimumQuickLoginWaitSeconds": 60,
        "maxDeltaTimeSeconds": SESSION_S,
    }


def _lifetimes() -> dict[str, Any]:
    return {
        "accessTokenLifespan": TOKEN_S,
        "ssoSessionIdleTimeout": SESSION_S,
        "ssoSessionMaxLifespan": SESSION_S,
        "revokeRefreshToken": True,  # each one counts once; a second use ends the session
        "refreshTokenMaxReuse": 0,
    }


def _mail() -> dict[str, Any]:
    """Where the realm's own mails go; without a mail server nobody can ask for a new password by themselves."""
    if settings.EMAIL_BACKEND != "django.core.mail.backends.smtp.EmailBackend":
        return {"resetPasswordAllowed": False}
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    server = {
        "host": settings.EMAIL_HOST,
        "port": str(settings.EMAIL_PORT),
        "from": address,
        "fromDisplayName": name,
        "ssl": str(settings.EMAIL_USE_SSL).lower(),
        "starttls": str(settings.EMAIL_USE_TLS).lower(),
        "auth": str(bool(settings.EMAIL_HOST_USER)).lower(),
    }
    if settings.EMAIL_HOST_USER:
        server |= {"user": settings.EMAIL_HOST_USER, "password": settings.EMAIL_HOST_PASSWORD}
    return {"resetPasswordAllowed": True, "smtpServer": server}
