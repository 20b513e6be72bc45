"""What all tests stand on: a database copied from a prepared one, two tenants and their people, real servers.

Ordinary tests (`django_db`) roll back. Tests that commit, or that other threads and processes must see, take `committed`
and a tenant of their own (`new_tenant`). Nobody's sign-in is faked: `sign_in` walks through the realm's pages.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support import database, people
from tests.support.browser import Visitor


class _Scheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Gives every test to whichever process is free, but keeps together those that share running processes or buckets.

    (xdist's own groups, `--dist loadgroup`, are written into a node's id, which pytest 9.2 no longer takes.)
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((shared for shared in TOGETHER if nodeid.startswith(shared)), nodeid)


TOGETHER = (
    "tests/test_faults.py",
    "tests/e2e/",
    "tests/test_processes.py",
    "tests/deploy/test_compose_runs.py",
    "tests/storage/test_tenant_files.py",  # the prepared tenants' buckets are not copied with the database
    "tests/isolation/test_hammering.py",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Scheduling(config, log)


def pytest_configure(config: pytest.Config) -> None:
    worker = getattr(config, "workerinput", {}).get("workerid", "main")
    database.use_worker_database(worker)


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

    from tenants import directory

    directory.forget()
    cache.clear()
    yield
    directory.forget()


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
    """Visitors that have signed in through their realm: `signed_in("owner")`, "member", "outsider" (of globex), "operator".

    The sign-in is real and done once for each person and process; each call gives a visitor with a copy of its cookies.
    """
    cookies: dict[str, Any] = {}

    def give(who: str) -> Visitor:
        person = world.person(who)
        if who not in cookies:
            with django_db_blocker.unblock():
                from django.db import connection

                assert not connection.in_atomic_block or who in cookies, (
                    "sign in before the test's transaction: use `session_of`"
                )
                cookies[who] = Visitor(person.tenant).sign_in(person.email, person.password).cookies
        return Visitor(person.tenant, cookies=cookies[who])

    return give


@pytest.fixture(scope="session")
def _sessions(world: people.World, signed_in: Callable[..., Visitor], django_db_blocker: Any) -> None:
    """Everybody's real sign-in, before the first test that asks for one opens its transaction."""
    for who in people.EVERYBODY:
        signed_in(who)


@pytest.fixture
def owner(_sessions: None, signed_in: Callable[..., Visitor], db: None) -> Visitor:
    """acme-corp's admin, signed in."""
    return signed_in("owner")


@pytest.fixture
def member(_sessions: None, signed_in: Callable[..., Visitor], db: None) -> Visitor:
    """A user of acme-corp, signed in."""
    return signed_in("member")


@pytest.fixture
def outsider(_sessions: None, signed_in: Callable[..., Visitor], db: None) -> Visitor:
    """globex-inc's admin, signed in there."""
    return signed_in("outsider")


@pytest.fixture
def operator_at_console(_sessions: None, signed_in: Callable[..., Visitor], db: None) -> Visitor:
    """The operator, signed in at the platform's realm."""
    return signed_in("operator")
