"""Every attack is tried on both roads to PostgreSQL: directly, and through a real PgBouncer in transaction mode."""

import pytest

from tests.support import pgbouncer

ROADS = ["direct", pytest.param("pgbouncer", marks=pytest.mark.pooler)]


@pytest.fixture(scope="session")
def pooler(world):
    """A PgBouncer with three connections to PostgreSQL, which all tenants share."""
    with pgbouncer.running() as running:
        yield running


@pytest.fixture(scope="module", params=ROADS)
def road(request, world, django_db_blocker):
    """The way that this process's statements take."""
    if request.param == "direct":
        yield request.param
        return
    pooler = request.getfixturevalue("pooler")
    with django_db_blocker.unblock(), pgbouncer.in_the_way(pooler):
        yield request.param
