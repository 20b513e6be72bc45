import pytest

from tests.attacks.site import make_site
from tests.support import people
from tests.support.issuer import Issuer


@pytest.fixture
def acme_issuer(db, acme):
    """acme-corp's issuer, spoken to by hand."""
    return Issuer(acme)


@pytest.fixture
def globex_issuer(db, globex):
    """The issuer of the other tenant."""
    return Issuer(globex)


@pytest.fixture
def platform_issuer(db):
    """The operators' issuer."""
    return Issuer(None)


@pytest.fixture
def future_key(django_db_setup, acme, django_db_blocker):
    """A second key of acme-corp's realm, published and not signing yet, that the issuer's own threads see too."""
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    from accounts.identity.builtin.keys import make_key
    from accounts.identity.models import SigningKey
    from core.tenancy import enter

    def elsewhere(work):
        """Do it on another connection, outside of the test's transaction."""

        def run():
            try:
                with enter(acme):
                    return work()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(run).result()

    def make():
        key = make_key()
        SigningKey.objects.filter(pk=key.pk).update(active_from="2099-01-01T00:00:00Z")
        return key

    with django_db_blocker.unblock():
        key = elsewhere(make)
        yield key
        elsewhere(SigningKey.objects.filter(pk=key.pk).delete)


@pytest.fixture(scope="module")
def made_site(world, django_db_blocker):
    with django_db_blocker.unblock():
        site = make_site("builtin")
    yield site
    with django_db_blocker.unblock():
        people.remove(site.tenant)


@pytest.fixture
def site(made_site, committed):
    """A tenant at the built-in issuer that a module's tests share: each has its own people."""
    return made_site


@pytest.fixture
def somebody(site):
    """Somebody whom no other test knows."""
    return site.newcomer()
