"""What all tests stand on: a database copied from a prepared one, two tenants and their people, real servers.

Ordinary tests (`django_db`) roll back. Tests that commit, or that other threads and processes must see, take `committed`
and a tenant of their own (`new_tenant`). Nobody's sign-in is faked: `sign_in` walks through the realm's pages.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from coverage import Coverage
from xdist.scheduler import LoadScopeScheduling

from tests.support import database, people
from tests.support import keycloak as keycloak_server
from tests.support.browser import Visitor
from tests.support.threads import run_apart

hypothesis.settings.register_profile("busy machine", deadline=None)
hypothesis.settings.load_profile("busy machine")
_watched = pytest.StashKey[bool]()  # does coverage look at this test?
SESSION_KEPT_S = 45.0  # within the minute after which a session notes that it was seen


class _Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives every test to whichever process is free, but keeps together those that share running processes or buckets.

    (xdist's own groups, `--dist loadgroup`, are written into a node's id, which pytest 9.2 no longer takes.)
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(SECOND_KEYCLOAK):
            return "second keycloak"
        if nodeid.startswith(ATTACKS):
            return next((f"attacks on {kind}" for kind in ("builtin", "keycloak") if kind in nodeid), nodeid)
        return next((shared for shared in TOGETHER if nodeid.startswith(shared)), nodeid)


# some of them stop or kill it
SECOND_KEYCLOAK = ("tests/accounts/test_keycloak_faults.py", "tests/accounts/test_moving_realms.py")
ATTACKS = "tests/attacks/"  # share two tenants for each kind of issuer, and the sign-ins of their people
TOGETHER = (
    "tests/events/test_delivery.py",  # ten processes each, which want the machine for themselves
    "tests/test_faults.py",
    "tests/e2e/",
    "tests/test_processes.py",
    "tests/deploy/test_compose_runs.py",
    "tests/storage/test_tenant_files.py",  # the prepared tenants' buckets are not copied with the database
    "tests/isolation/test_hammering.py",
)
LONG = (
    "tests/e2e/",
    "tests/test_faults.py",
    "tests/test_processes.py",
    "tests/benchmarks/",
    "tests/tenants/services/test_killed_workers.py",
)
# They walk through everything that others look at one by one. Pages that are watched take two to three times as long;
# therefore a test with many parameters is watched with its first ones alone, too.
UNWATCHED = (
    "tests/test_urls.py",
    "tests/e2e/",
    "tests/attacks/",
    "tests/isolation/",
    "tests/benchmarks/",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Scheduling(config, log)


def pytest_configure(config: pytest.Config) -> None:
    worker = getattr(config, "workerinput", {}).get("workerid", "main")
    database.use_worker_database(worker)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    functions: set[str] = set()
    for item in items:
        function = item.nodeid.partition("[")[0]
        item.stash[_watched] = function not in functions and not function.startswith(UNWATCHED)
        functions.add(function)
    items.sort(key=_turn)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    # not pytest-cov's mark `no_cover`: it stops one of the two measurements that it begins in a process of xdist's
    stopped = []
    while not item.stash[_watched] and (measurement := Coverage.current()):
        measurement.stop()
        stopped.append(measurement)
    try:
        return (yield)
    finally:
        for measurement in reversed(stopped):
            measurement.start()


def _turn(item: pytest.Item) -> int:
    """Long rows of tests begin first, and what needs a Keycloak when that is up; short ones fill what is left."""
    if item.nodeid.startswith(LONG):
        return 0
    return 1 if item.get_closest_marker("live") or "own_bus" in getattr(item, "fixturenames", ()) else 2


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.config.option.collectonly:
        keycloak_server.start_early({name for item in session.items for name in getattr(item, "fixturenames", ())})


@pytest.fixture(scope="session")
def keycloak() -> Any:
    """The Keycloak that all test processes share; each makes realms of its own in it."""
    return keycloak_server.start("keycloak")


@pytest.fixture(scope="session")
def second_keycloak() -> Any:
    """Another Keycloak, which a test may stop: tests that use it run in one process."""
    return keycloak_server.start("keycloak-2")


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """A copy of the prepared database for this process."""
    with django_db_blocker.unblock():
        database.copy_prepared_database()
    yield
    with django_db_blocker.unblock():
        database.drop_copy()


@pytest.fixture(autouse=True)
def _fresh_process_memory() -> Iterator[None]:
    from django.core.cache import cache

    from accounts.identity import discovery
    from accounts.people import rights
    from tenants import directory

    directory.forget()
    rights.forget()
    discovery.forget_keys()
    cache.clear()
    yield
    directory.forget()
    rights.forget()


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Database access without a transaction around the test: what it writes stays, so it takes tenants of its own."""
    from django.db import connections

    with django_db_blocker.unblock():
        yield
        connections.close_all()


@pytest.fixture(scope="session")
def world(django_db_setup: None, django_db_blocker: Any) -> people.World:
    """The prepared tenants acme-corp and globex-inc with their people, and the operator, all with real accounts."""
    with django_db_blocker.unblock():
        return people.load_world()


@pytest.fixture
def acme(world: people.World) -> Any:
    """The tenant under test."""
    return world.acme


@pytest.fixture
def globex(world: people.World) -> Any:
    """The tenant to leak into."""
    return world.globex


@pytest.fixture
def operator(world: people.World) -> Any:
    """Somebody who runs the platform, as an actor."""
    return world.operator


@pytest.fixture
def new_tenant(committed: None, world: people.World) -> Iterator[Callable[..., Any]]:
    """Makes active tenants through the real provisioning service, in this process; they are dropped after the test."""
    made: list[Any] = []

    def make(slug: str | None = None, **inputs: Any) -> Any:
        tenant = people.provision(slug, **inputs)
        made.append(tenant)
        return tenant

    yield make
    for tenant in made:
        people.remove(tenant)


@pytest.fixture
def visitor() -> Callable[..., Visitor]:
    """Makes visitors: `visitor(acme)` at a tenant's address, `visitor()` at the platform's. Each has its own cookies."""
    return Visitor


@pytest.fixture(scope="session")
def signed_in(world: people.World, django_db_blocker: Any) -> Callable[..., Visitor]:
    """Visitors that have signed in through their realm: `signed_in("owner")`, "member", "guest", "outsider" (of globex), "operator", "support".

    The sign-in is real; it is done for each person and process, and again before its access token is due, which a test
    would renew inside a transaction that is rolled back. Each call gives a visitor with a copy of its cookies.
    """
    known: dict[str, tuple[float, Any]] = {}

    def sign_in(who: str) -> Any:
        person = world.person(who)
        with django_db_blocker.unblock():
            return run_apart(lambda: Visitor(person.tenant).sign_in(person.email, person.password).cookies)

    def give(who: str) -> Visitor:
        since, cookies = known.get(who, (0.0, None))
        if cookies is None or time.monotonic() - since > SESSION_KEPT_S:
            since, cookies = known[who] = time.monotonic(), sign_in(who)
        return Visitor(world.person(who).tenant, cookies=cookies)

    return give


@pytest.fixture
def owner(signed_in: Callable[..., Visitor], db: None) -> Visitor:
    """acme-corp's admin, signed in."""
    return signed_in("owner")


@pytest.fixture
def member(signed_in: Callable[..., Visitor], db: None) -> Visitor:
    """A user of acme-corp, signed in."""
    return signed_in("member")


@pytest.fixture
def guest(signed_in: Callable[..., Visitor], db: None) -> Visitor:
    """A guest of acme-corp, who may do nothing much, signed in."""
    return signed_in("guest")


@pytest.fixture
def outsider(signed_in: Callable[..., Visitor], db: None) -> Visitor:
    """globex-inc's admin, signed in there."""
    return signed_in("outsider")


@pytest.fixture
def operator_at_console(signed_in: Callable[..., Visitor], db: None) -> Visitor:
    """The operator, signed in at the platform's realm."""
    return signed_in("operator")


@pytest.fixture
def support_at_console(signed_in: Callable[..., Visitor], db: None) -> Visitor:
    """An operator who may only look, signed in at the platform's realm."""
    return signed_in("support")


@pytest.fixture
def time_machine_to() -> Iterator[Callable[..., None]]:
    """Moves this process's clock: `time_machine_to(seconds=61)`."""
    import datetime as dt

    import time_machine

    travels: list[time_machine.travel] = []

    def go(**ahead: float) -> None:
        travel = time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(**ahead), tick=True)
        travel.start()
        travels.append(travel)

    yield go
    for travel in reversed(travels):
        travel.stop()
