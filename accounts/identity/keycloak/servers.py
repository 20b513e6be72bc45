"""What the settings say of each Keycloak. Read by the settings themselves: nothing of Django in here."""

import json
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, field_validator

CAPACITY = 300  # realms, measured: docs/operators/keycloak.md
PROVISIONER = "plexica-provisioner"


class KeycloakServer(BaseModel):
    """One Keycloak: where it is, how many realms it takes, and the client that may make realms there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    url: str  # where the platform reaches it
    public_url: str = ""  # where browsers reach it, and what its tokens call it; empty: the same
    provisioner_id: str = PROVISIONER
    provisioner_secret: SecretStr
    capacity: Annotated[int, Field(ge=1)] = CAPACITY

    @field_validator("url", "public_url")
    @classmethod
    def _base_address(cls, value: str) -> str:
        url = urlsplit(value)
        if value and (url.scheme not in ("http", "https") or not url.hostname or url.query or url.username):
            raise ValueError("must be scheme://host[:port][/path]")
        return value.rstrip("/")

    @property
    def outer_url(self) -> str:
        """Where browsers reach it."""
        return self.public_url or self.url

    def issuer(self, realm: str) -> str:
        """Return what tokens of a realm name as their issuer."""
        return f"{self.outer_url}/realms/{realm}"


_LIST = TypeAdapter(list[KeycloakServer])


def parse_servers(text: str) -> list[KeycloakServer]:
    """Return the servers of a JSON list. Raises ValueError, which names no secret."""
    if not text.strip():
        return []
    try:
        raw = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON: {error.msg} at character {error.pos}") from None
    servers = _LIST.validate_python(raw)
    if len({server.name for server in servers}) < len(servers):
        raise ValueError("each server needs a name of its own")
    return servers
