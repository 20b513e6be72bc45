"""How tenants are dealt with."""

from datetime import timedelta

from pydantic import Field

from plexica.settings.environment import Environment, load


class Tenants(Environment):
    deletion_grace_days: float = Field(
        7, ge=0, le=365, description="How long a tenant's deletion waits and can be called off"
    )


DELETION_GRACE = timedelta(days=load(Tenants).deletion_grace_days)
