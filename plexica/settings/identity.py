"""Who issues identities: the built-in issuer, or Keycloaks."""

from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator

from accounts.identity.keycloak.servers import KeycloakServer, parse_servers
from plexica.settings.environment import Environment, load
from plexica.settings.site import CONTENT_SECURITY_POLICY


class Identity(Environment):
    keycloak_servers: str = Field(
        "",
        description="JSON list of Keycloaks: name, url, public_url if browsers use another one, provisioner_id and"
        " provisioner_secret (manage.py setup_keycloak makes them), capacity in realms (300)",
    )
    identity_provider: Literal["builtin", "keycloak"] = Field(
        "builtin",
        validate_default=True,
        description="Who issues the identities of new tenants, and of the platform when it is set up;"
        " a tenant that is there keeps its own until manage.py move_realm",
    )
    key_rotation_days: int = Field(
        90,
        ge=0,
        description="The built-in issuer gives a realm new keys after so many days; 0: only rotate_realm_keys does",
    )

    lockout_failures: int = Field(
        10,
        ge=3,
        le=100,
        description="After so many wrong passwords, or codes, an account at the built-in issuer is locked"
        " for browsers in which its owner never signed in; each of the others counts for itself",
    )
    lockout_window_minutes: float = Field(15, gt=0, le=24 * 60, description="Within how long they are counted")
    lockout_minutes: float = Field(
        15, gt=0, le=24 * 60, description="How long the first lock lasts; each one after it twice as long, up to a day"
    )

    operators_two_factor: Literal["optional", "required"] = Field(
        "optional",
        description="required: operators who have no second factor set one up when they sign in the next time",
    )

    @field_validator("keycloak_servers")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        parse_servers(value)
        return value

    @field_validator("identity_provider")
    @classmethod
    def _has_a_server(cls, value: str, info: ValidationInfo) -> str:
        if value == "keycloak" and not info.data.get("keycloak_servers", "").strip():
            raise ValueError("keycloak needs a server in PLEXICA_KEYCLOAK_SERVERS")
        return value


_identity = load(Identity)

OPERATORS_TWO_FACTOR = _identity.operators_two_factor == "required"
LOCKOUT_FAILURES = _identity.lockout_failures
LOCKOUT_WINDOW = timedelta(minutes=_identity.lockout_window_minutes)
LOCKOUT = timedelta(minutes=_identity.lockout_minutes)
KEY_ROTATION = timedelta(days=_identity.key_rotation_days)
IDENTITY_PROVIDER = _identity.identity_provider
KEYCLOAK_SERVERS: dict[str, KeycloakServer] = {
    server.name: server for server in parse_servers(_identity.keycloak_servers)
}
# signing out posts a form that ends at the issuer, and browsers look at where a form's redirects lead
CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"] += [
    "{0.scheme}://{0.netloc}".format(urlsplit(server.outer_url)) for server in KEYCLOAK_SERVERS.values()
]
