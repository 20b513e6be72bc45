"""The platform's settings, and subscribers of the tests'."""

from plexica.settings import *  # noqa: F403
from plexica.settings import EVENT_HANDLERS as OURS

EVENT_HANDLERS = [*OURS, "tests.support.event_handlers"]
EVENT_RETRY_DELAYS_S = [0, 1, 600]
