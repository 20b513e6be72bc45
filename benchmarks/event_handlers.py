"""What the bench of events has handled: a row in the tenant, and the moment into a file. The same as handler and as task."""

import os
import struct
import time
from uuid import UUID

from django.db import connection, transaction

from core.celery import app
from events.subscribing import EventContext, on_event
from plexica_sdk.events import MemberAdded

VARIABLE = "BENCH_HANDLED"
ENTRY = struct.Struct("16sd")
_INSERT = "INSERT INTO events_handled (subscriber, position) VALUES ('bench', %s)"  # any table of the tenant's does
_file = os.open(os.environ.get(VARIABLE, os.devnull), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


@on_event(MemberAdded, name="bench.effect")
def handle(event: MemberAdded, ctx: EventContext) -> None:
    """Write the effect, in the consumer's transaction."""
    _effect(event.person_id)


@app.task
def handle_as_task(person_id: str) -> None:
    """Write the effect, in a transaction of the task's own."""
    with transaction.atomic():
        _effect(UUID(person_id))


def _effect(person_id: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [person_id.int & (2**62 - 1)])
    os.write(_file, ENTRY.pack(person_id.bytes, time.time()))
