"""How many requests are taken from one tenant, one client and one address."""

from limits import parse
from pydantic import Field, field_validator

from plexica.settings.environment import Environment, load


class Limits(Environment):
    rate_limit_tenant: str = Field("6000/minute", description="Calls of a tenant's API by all together; off: no limit")
    rate_limit_client: str = Field(
        "600/minute", description="Calls of the API by one person, operator or API client; off: no limit"
    )
    rate_limit_address: str = Field(
        "1200/minute", description="Calls of the API from one address, of whatever tenant; off: no limit"
    )
    rate_limit_sign_in: str = Field(
        "60/minute",
        description="Attempts from one address to sign in, to get a token, to set a password, to accept an invitation;"
        " off: no limit",
    )

    @field_validator("*")
    @classmethod
    def _is_a_rate(cls, value: str) -> str:
        if value == "off":
            return ""
        try:
            parse(value)
        except ValueError:
            raise ValueError("must be like 600/minute, 10/second or 100 per 5 minutes, or off") from None
        return value


_limits = load(Limits)
RATE_LIMITS = {
    "tenant": _limits.rate_limit_tenant,
    "client": _limits.rate_limit_client,
    "address": _limits.rate_limit_address,
    "sign-in": _limits.rate_limit_sign_in,
}
# Where somebody tries a secret: what is sent there counts against the address.
SIGN_IN_PATHS = ("/op/", "/invitations/", "/profile/security/", "/console/profile/security/")
