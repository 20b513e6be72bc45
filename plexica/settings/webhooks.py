"""Outgoing webhooks: where they may go, how long a call may take, when it is tried again."""

import ipaddress
import ssl
from datetime import timedelta

from pydantic import Field, field_validator, model_validator

from plexica.settings.environment import Environment, load
from plexica.settings.site import DEVELOPMENT


class Webhooks(Environment):
    webhook_allowed_networks: str = Field(
        "",
        description="Networks that webhooks may call besides the public Internet, comma-separated: 10.1.2.0/24,fd00::/8;"
        " every tenant's admin can then reach what is in there",
    )
    webhook_allow_http: bool = Field(False, description="Webhooks may have http addresses; development alone")
    webhook_ca_file: str = Field(
        "", description="Certificates of authorities that webhooks' receivers are trusted by, besides the system's"
    )
    webhook_timeout_s: float = Field(15, gt=0, le=60, description="How long a receiver has for its answer")
    webhook_retry_delays_s: str = Field(
        "5,300,1800,7200,18000,36000,50400,72000,86400",
        description="Seconds before each further try of a delivery, give or take a tenth; after the last one it has failed",
    )
    webhook_disable_after_days: float = Field(
        5, gt=0, le=365, description="A webhook that fails for so long, without a success in between, is disabled"
    )
    webhook_rotation_hours: float = Field(
        24, ge=0, le=24 * 30, description="How long a replaced secret goes on signing beside the new one"
    )
    webhook_log_days: float = Field(30, gt=0, le=365, description="How long deliveries stay in a webhook's log")

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        _networks(value)
        return value

    @field_validator("webhook_allow_http")
    @classmethod
    def _at_home_alone(cls, value: bool) -> bool:
        if value and not DEVELOPMENT:
            raise ValueError("needs PLEXICA_ENV=development: signed events would travel in the clear")
        return value

    @field_validator("webhook_ca_file")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        if value:
            try:
                ssl.create_default_context(cafile=value)
            except (OSError, ssl.SSLError) as error:
                raise ValueError(f"holds no certificates in PEM: {error}") from None
        return value

    @field_validator("webhook_retry_delays_s")
    @classmethod
    def _are_seconds(cls, value: str) -> str:
        if any(delay < 0 for delay in _seconds(value)):
            raise ValueError("must be numbers of seconds, comma-separated")
        return value

    @model_validator(mode="after")
    def _log_outlasts_tries(self) -> "Webhooks":
        if sum(_seconds(self.webhook_retry_delays_s)) * 1.1 > self.webhook_log_days * 86400:
            raise ValueError(
                "PLEXICA_WEBHOOK_LOG_DAYS must be longer than all of PLEXICA_WEBHOOK_RETRY_DELAYS_S together"
            )
        return self


def _networks(value: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip()]


def _seconds(value: str) -> list[float]:
    return [float(part) for part in value.split(",") if part.strip()]


_webhooks = load(Webhooks)
WEBHOOK_ALLOWED_NETWORKS = _networks(_webhooks.webhook_allowed_networks)
WEBHOOK_ALLOW_HTTP = _webhooks.webhook_allow_http
WEBHOOK_CA_FILE = _webhooks.webhook_ca_file
WEBHOOK_TIMEOUT_S = _webhooks.webhook_timeout_s
WEBHOOK_RETRY_DELAYS_S = _seconds(_webhooks.webhook_retry_delays_s)
WEBHOOK_DISABLE_AFTER = timedelta(days=_webhooks.webhook_disable_after_days)
WEBHOOK_ROTATION = timedelta(hours=_webhooks.webhook_rotation_hours)
WEBHOOK_LOG_KEPT = timedelta(days=_webhooks.webhook_log_days)
