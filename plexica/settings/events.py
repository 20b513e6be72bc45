"""How long subscribers wait before they try again, and how long events are kept."""

from datetime import timedelta

from pydantic import Field, field_validator

from plexica.settings.environment import Environment, load


class Events(Environment):
    event_retry_delays_s: str = Field(
        "0,1,10,60,600",
        description="Seconds before each further try of an event that a subscriber could not handle,"
        " each a tenth more or less; after the last one it is filed under failed events",
    )

    event_keep_days: int = Field(
        14,
        ge=1,
        le=365,
        description="How long events are kept for replay; never less than until every subscriber has them",
    )

    @field_validator("event_retry_delays_s")
    @classmethod
    def _are_numbers(cls, value: str) -> str:
        if any(float(delay) < 0 for delay in value.split(",")):
            raise ValueError("must be numbers from 0 on, separated by commas")
        return value


_events = load(Events)

EVENT_RETRY_DELAYS_S = [float(delay) for delay in _events.event_retry_delays_s.split(",")]
EVENTS_KEPT = timedelta(days=_events.event_keep_days)
# Modules with handlers of events (events.subscribing.on_event).
EVENT_HANDLERS: list[str] = ["events.webhooks.handlers", "accounts.event_handlers"]
