"""Every attack is tried at both issuers. Tenant A is attacked from B, which has the same kind of issuer.

The sites last as long as these tests, and what tests write stays: whoever breaks something takes a newcomer, or a site
of their own.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.attacks.site import Site, make_site
from tests.support import people
from tests.support.walk import Walk

ISSUERS = ["builtin", pytest.param("keycloak", marks=pytest.mark.live)]


@pytest.fixture(scope="package", params=ISSUERS)
def kind(request: pytest.FixtureRequest) -> str:
    """The issuer that is attacked."""
    if request.param == "keycloak":
        request.getfixturevalue("keycloak")
    return str(request.param)


@pytest.fixture(scope="package")
def sites(kind: str, world: Any, django_db_blocker: Any) -> Iterator[tuple[Site, Site]]:
    """Tenants A and B."""
    with django_db_blocker.unblock():
        pair = make_site(kind), make_site(kind)
    yield pair
    with django_db_blocker.unblock():
        for site in pair:
            people.remove(site.tenant)


@pytest.fixture
def a(sites: tuple[Site, Site], committed: None) -> Site:
    """The tenant whose secrets are tried elsewhere."""
    return sites[0]


@pytest.fixture
def b(sites: tuple[Site, Site], committed: None) -> Site:
    """The tenant where they are tried."""
    return sites[1]


@pytest.fixture
def user(a: Site) -> Walk:
    """A browser of tenant A's user."""
    return a.browser()


@pytest.fixture
def tokens(a: Site, user: Walk) -> dict[str, str]:
    """Fresh tokens of tenant A's user."""
    return a.tokens(user)


@pytest.fixture
def new_site(kind: str, committed: None) -> Iterator[Callable[..., Site]]:
    """Makes a tenant that a test may break: `new_site()`."""
    made: list[Site] = []

    def make(**inputs: Any) -> Site:
        made.append(make_site(kind, **inputs))
        return made[-1]

    yield make
    for site in made:
        people.remove(site.tenant)
