"""Subscribers for tests with real processes."""

import os
import time
from typing import Any

from events.subscribing import EventContext, on_event
from plexica_sdk.events import MemberAdded

HANGS, FAILS = (
    "hangs",
    "fails",
)  # a role of this label in a tenant makes the handler do so there, if TESTS_TROUBLE is set
TROUBLE = "TESTS_TROUBLE" in os.environ


@on_event(MemberAdded, name="tests.effect", timeout_s=1 if TROUBLE else 30)
def effect(event: Any, ctx: EventContext) -> None:
    """Write a row by the name of the event's person."""
    from accounts.people.models import Role

    if TROUBLE:
        _cause_trouble()
    Role.objects.create(name=str(event.person_id), label="effect")


def _cause_trouble() -> None:
    from accounts.people.models import Role

    trouble = Role.objects.filter(label__in=(HANGS, FAILS)).values_list("label", flat=True).first()
    if trouble == FAILS:
        raise ValueError("this tenant fails")
    if trouble == HANGS:
        _hang()


def _hang() -> None:
    """Stand still so that only the end of the process helps."""
    import signal

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    time.sleep(3600)
