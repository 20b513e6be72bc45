"""A bus of this test process's own, tenants that have schema and role and nothing else, and subscribers of the test's."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from redis import Redis

from core.tenancy import enter
from events import publish
from events.bus.kafka import Kafka
from events.bus.port import Bus, Reader
from events.bus.redis_streams import RedisStreams
from events.consuming import Consumer, interrupt_long_handlers
from events.messages import SHARDS, Message
from events.relay import Relay, _connect
from events.subscribing import EventContext, Subscriber
from plexica_sdk.events import MemberAdded
from tenants.models import Tenant
from tenants.schemas import making, template
from tests.support import kafka as kafka_support


@pytest.fixture
def valkey() -> Iterator[Any]:
    """The bus's server; what tests leave there is taken away."""
    with Redis.from_url(settings.BUS_URL) as client:
        _clear(client)
        yield client
        _clear(client)


def _clear(client: Any) -> None:
    for key in client.scan_iter("events:*"):
        client.delete(key)


@pytest.fixture
def new_redis_streams(valkey: Any) -> RedisStreams:
    return RedisStreams(settings.BUS_URL)


@pytest.fixture
def bus(new_redis_streams: RedisStreams) -> RedisStreams:
    """The usual bus, begun."""
    new_redis_streams.begin(range(SHARDS))
    return new_redis_streams


@pytest.fixture(scope="session")
def kafka_server() -> str:
    """A real broker, which the test processes share."""
    return kafka_support.start()


@pytest.fixture
def kafka_url(kafka_server: str) -> Iterator[str]:
    """The address of a topic that is not there yet."""
    with kafka_support.topic(kafka_server) as url:
        yield url


@pytest.fixture
def new_kafka(kafka_url: str) -> Kafka:
    """A bus that was never used."""
    return Kafka(kafka_url)


@pytest.fixture
def lose_data(valkey: Any, request: pytest.FixtureRequest) -> Callable[[Bus], None]:
    """Takes everything from a bus that runs on."""

    def lose(bus: Bus) -> None:
        if isinstance(bus, Kafka):
            kafka_support.delete_topic(request.getfixturevalue("kafka_url"))
        else:
            _clear(valkey)

    return lose


@pytest.fixture
def outbox(committed: None) -> Iterator[None]:
    """An outbox without anything older, which a bus that lost its data would be sent again; nobody waits for anything."""
    with _connect() as raw:
        raw.execute("DELETE FROM public.events_outbox; DELETE FROM public.webhook_queue")
    yield
    with _connect() as raw:
        raw.execute(
            "DELETE FROM public.events_parked; DELETE FROM public.events_failed; DELETE FROM public.events_passed"
        )


@pytest.fixture
def tenants(outbox: None, world: Any) -> Iterator[Callable[[int], list[Any]]]:
    """Makes so many tenants that have schema and role."""
    from tenants.selectors import installation_code

    made: list[Any] = []

    def make(count: int) -> list[Any]:
        for _ in range(count):
            slug = f"events-{secrets.token_hex(4)}"
            fields = {"name": slug, "admin_email": "a@events.example", "status": "active"}
            tenant = Tenant.new(installation=installation_code(), slug=slug, **fields)
            tenant.save(force_insert=True)
            making.make_schema(tenant.ref, template.current_template())
            made.append(tenant)
        return made[-count:]

    yield make
    for tenant in made:
        making.drop_schema(tenant.ref)
        Tenant.objects.filter(pk=tenant.pk).update(status="deleted")


@pytest.fixture
def tenant(tenants: Callable[[int], list[Any]]) -> Any:
    return tenants(1)[0]


@pytest.fixture
def relay(outbox: None, bus: RedisStreams) -> Iterator[Callable[[], int]]:
    """Sends everything that is committed, at once, and says how many events that were."""
    with ExitStack() as stack:
        connection = stack.enter_context(_connect())
        one = Relay(subscribers=lambda: ["tests.one"], through=bus)
        one._take_shards(connection)

        def send() -> int:
            total = 0
            while count := one.send_batch(connection):
                total += count
            one._mark(connection)
            return total

        yield send


class Seen:
    """A handler that remembers, and writes a row into the tenant so that it shows what was rolled back."""

    def __init__(self) -> None:
        self.ids: list[UUID] = []
        self.attempts: list[int] = []
        self.fails_on: dict[UUID, Exception] = {}
        self.does: Callable[[Any, EventContext], None] = lambda event, ctx: None

    def __call__(self, event: Any, ctx: EventContext) -> None:
        self.attempts.append(ctx.attempt)
        write(event.person_id)
        if event.person_id in self.fails_on:
            raise self.fails_on[event.person_id]
        self.does(event, ctx)
        self.ids.append(event.person_id)


def write(person_id: UUID) -> None:
    """The effect: a role by the name of the event's person, and its order by its id."""
    from accounts.people.models import Role

    Role.objects.create(name=str(person_id), label="effect")


def effects(tenant: Any) -> list[UUID]:
    """Return what handlers wrote in a tenant, in the order in which they did."""
    from accounts.people.models import Role

    with enter(tenant.ref):
        return [
            UUID(name) for name in Role.objects.filter(label="effect").order_by("id").values_list("name", flat=True)
        ]


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def subscriber(seen: Seen) -> Subscriber:
    return Subscriber("tests.one", ("plexica.member.*",), seen, timeout_s=30.0)


@pytest.fixture
def consume(bus: RedisStreams, subscriber: Subscriber) -> Iterator[Callable[[], None]]:
    """Handles what is on the bus and what is due among the parked, until nothing is left to do now."""
    interrupt_long_handlers()
    with bus.reader(subscriber.name) as reader:
        yield lambda: drain(Consumer(subscriber, through=bus), reader, bus, subscriber.name)


def drain(consumer: Consumer, reader: Reader, bus: RedisStreams, group: str) -> None:
    """Take turns until nothing waits."""
    from datetime import timedelta

    for _ in range(200):
        consumer._looked_at -= timedelta(hours=1)
        consumer.turn(_Quick(reader))
        backlog = bus.backlog(group)
        if not backlog.waiting and not backlog.in_hand:
            return
    raise AssertionError(f"still waiting: {bus.backlog(group)}")


class _Quick:
    """A reader that waits for nothing."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def read(self, *, timeout_s: float) -> Any:
        return self._reader.read(timeout_s=0.02)


def added(tenant: Any, count: int = 1) -> list[UUID]:
    """Publish events in a tenant, each in a transaction of its own; return the ids that they carry."""
    from core.ids import uuid7

    ids = [uuid7() for _ in range(count)]
    with enter(tenant.ref):
        for one in ids:
            publish(MemberAdded(person_id=one))
    return ids


def messages(tenant_id: UUID, positions: list[int]) -> list[Message]:
    """Return messages that were never in the outbox."""
    from datetime import UTC, datetime

    return [
        Message(
            position,
            datetime(2026, 1, 1, tzinfo=UTC),
            "plexica.member.added",
            1,
            tenant_id,
            "system",
            None,
            "",
            {"n": position},
        )
        for position in positions
    ]
