"""Moves committed events from the outbox to the bus.

    outbox ──NOTIFY──> relay ──batch──> bus, then `sent_at`, for many at once

Rows are sent as soon as they are visible, lowest position first: what was done after another change was committed comes
after it. What was sent is marked a moment later, and known to this process until then. A relay holds an advisory lock for
each shard that it serves, on the connection over which it reads, so that two of them never send one tenant's events; if
it dies between sending and marking, its successor sends again. What the bus has lost of a shard is sent again, from where
the slowest subscriber was, before anything else is.
"""

import json
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
import structlog
from django.db import connections
from psycopg import sql

from core.errors import Unavailable
from core.tenancy.names import OWNER_ROLE
from events.bus import bus
from events.bus.port import Bus, BusLost
from events.messages import SHARDS, SQL_SHARD, Message

OPS = "ops"
CHANNEL = "plexica_outbox"  # a trigger on the outbox notifies
BATCH = 500
POLL_S = 1.0  # the net below NOTIFY
MARK_AFTER_S = 0.1
SHARDS_EVERY_S = 2.0
LOOK_EVERY_S = 1.0  # at what the bus has lost
TRIM_EVERY_S = 10.0
PAUSE_S = 0.5  # after a bus that did not answer
LOCK_CLASS = 0x7078_6F62  # "pxob": the first half of the shards' advisory locks
CLOCKS_DIFFER = timedelta(minutes=1)
log = structlog.get_logger(__name__)

_UNSENT = f"""
    SELECT id, occurred_at, name, version, tenant_id, actor_kind, actor_id, request_id, payload::text
    FROM public.events_outbox WHERE sent_at IS NULL AND {SQL_SHARD} = ANY(%s) AND id <> ALL(%s) ORDER BY id LIMIT {BATCH}
"""  # noqa: S608 - constants of this module
_SENT = """
    UPDATE public.events_outbox o SET sent_at = clock_timestamp()
    FROM unnest(%s::bigint[], %s::timestamptz[]) s(id, occurred_at) WHERE (o.id, o.occurred_at) = (s.id, s.occurred_at)
"""
# of what every subscriber has passed nothing is sent again; one that is not on the list has passed nothing
_AGAIN = f"""
    WITH passed AS (
        SELECT min(passed_at) AS at, count(*) = cardinality(%(subscribers)s::text[]) AS is_known_of_all
        FROM public.events_passed WHERE subscriber = ANY(%(subscribers)s) AND shard = %(shard)s
    )
    UPDATE public.events_outbox SET sent_at = NULL
    FROM passed WHERE {SQL_SHARD} = %(shard)s
      AND sent_at >= CASE WHEN is_known_of_all THEN passed.at - %(margin)s::interval ELSE '-infinity' END
"""  # noqa: S608 - constants of this module


class Relay:
    """One relay process. Several may run: each serves the shards that no other has."""

    def __init__(self, *, subscribers: Callable[[], list[str]], through: Bus | None = None) -> None:
        self._bus = through or bus()
        self._subscribers = subscribers
        self._held: set[int] = set()
        self._unmarked: dict[int, datetime] = {}  # sent rows, by position
        self._marked_at = 0.0
        self._looked_at = self._trimmed_at = self._shards_at = float("-inf")
        self.sent = 0

    def run(self, *, until: Callable[[], bool]) -> None:
        """Send until told otherwise. Connections that are lost are made anew."""
        while not until():
            try:
                with _connect() as connection:
                    self._held.clear()
                    self._unmarked.clear()  # whoever has their shards now sends them again
                    self._shards_at = float("-inf")
                    self._serve(connection, until)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("relay_disconnected", error=str(error))
                time.sleep(PAUSE_S)

    def _serve(self, connection: "psycopg.Connection[Any]", until: Callable[[], bool]) -> None:
        connection.prepare_threshold = 0  # planning over all days takes longer than the rest: once is enough
        connection.execute("SET plan_cache_mode = force_generic_plan")
        connection.execute("SET synchronous_commit = off")  # a mark that is lost is an event that is sent again
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
        while not until():
            self._take_shards(connection)
            try:
                self._look_after_bus(connection)
                count = self.send_batch(connection)
            except BusLost:
                self._looked_at = float("-inf")  # the look before the next batch lets it be sent again
                continue
            except Unavailable as error:
                log.warning("bus_unavailable", error=str(error.__cause__))
                time.sleep(PAUSE_S)
                continue
            if count < BATCH:
                for _ in connection.notifies(timeout=MARK_AFTER_S if self._unmarked else POLL_S, stop_after=1):
                    pass
        self._mark(connection)

    def _take_shards(self, connection: "psycopg.Connection[Any]") -> None:
        if len(self._held) == SHARDS or time.monotonic() - self._shards_at < SHARDS_EVERY_S:
            return
        self._shards_at = time.monotonic()
        for shard in set(range(SHARDS)) - self._held:
            row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_CLASS, shard]).fetchone()
            if row == (True,):
                self._held.add(shard)
                self._looked_at = float("-inf")

    def send_batch(self, connection: "psycopg.Connection[Any]") -> int:
        """Send what is unsent, at most BATCH events, and return how many. Marks what was sent, now or with a later call.

        Raises Unavailable or BusLost: nothing of the batch is marked then, and all of it is sent again.
        """
        if not self._held:
            return 0
        rows = connection.execute(_UNSENT.encode(), [_array(self._held), _array(self._unmarked)]).fetchall()
        if rows:
            self._bus.publish([_message(row) for row in rows])
            self._unmarked |= {row[0]: row[1] for row in rows}
            self.sent += len(rows)
        if time.monotonic() - self._marked_at > MARK_AFTER_S or len(self._unmarked) >= BATCH:
            self._mark(connection)
        return len(rows)

    def _mark(self, connection: "psycopg.Connection[Any]") -> None:
        if self._unmarked:
            connection.execute(_SENT, [_array(self._unmarked), _array(self._unmarked.values())])
            self._unmarked.clear()
        self._marked_at = time.monotonic()

    def _look_after_bus(self, connection: "psycopg.Connection[Any]") -> None:
        """Find losses while there is nothing to send, and throw away what everybody has passed."""
        now = time.monotonic()
        if not self._held or now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        if lost := self._bus.lost(self._held):
            self._begin_again(connection, lost)
        if 0 in self._held and now - self._trimmed_at > TRIM_EVERY_S:
            self._trimmed_at = now
            self._bus.trim()

    def _begin_again(self, connection: "psycopg.Connection[Any]", shards: Collection[int]) -> None:
        """Let what a bus has lost of our shards be sent again. Raises Unavailable; then this is found to be due again."""
        self._mark(connection)  # what was sent just now may be lost, too
        for shard in sorted(shards):
            values = {"subscribers": self._subscribers(), "shard": shard, "margin": CLOCKS_DIFFER}
            again = connection.execute(_AGAIN.encode(), values).rowcount
            self._bus.begin([shard])
            log.warning("bus_had_lost", shard=shard, sent_again=again)


def _array(values: Collection[int | datetime]) -> str:
    """Return an array as PostgreSQL reads it; psycopg takes ten times as long for a list."""
    return f"{{{','.join(map(str, values))}}}"


def _message(row: Sequence[Any]) -> Message:
    values = [*row]
    values[-1] = json.loads(values[-1])
    return Message(*values)


def _connect() -> "psycopg.Connection[Any]":
    """Open a connection over the operations login, which leads straight to PostgreSQL, as the owner of the outbox."""
    params = connections[OPS].get_connection_params()
    del params["cursor_factory"]
    connection = psycopg.connect(**params, autocommit=True)
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(OWNER_ROLE)))
    return connection
