"""How people come into a workspace."""

from typing import Literal

from pydantic import Field

from plexica.settings.environment import Environment, load


class People(Environment):
    invitation_days: float = Field(7, gt=0, le=365, description="How long the link of an invitation works")
    join_role: Literal["guest", "user", "nobody"] = Field(
        "guest",
        description="The role of somebody who has an account in a tenant's realm and signs in without an invitation;"
        " nobody: they are sent away",
    )


_people = load(People)
INVITATION_DAYS = _people.invitation_days
JOIN_ROLE = _people.join_role
