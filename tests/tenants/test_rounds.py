import pytest

from accounts.people.models import Person
from core.tenancy import current
from tenants.rounds import visit_tenants


@pytest.mark.django_db
def test_every_tenant_in_use_is_visited_in_its_own_context(world):
    met = {}

    visit_tenants(lambda tenant: met.update({tenant.slug: (current(), Person.objects.count())}))

    assert {slug: ref.id for slug, (ref, _) in met.items()} == {
        tenant.slug: tenant.id for tenant in (world.acme, world.globex)
    }
    assert all(people for _, people in met.values())


@pytest.mark.django_db
def test_what_fails_in_one_tenant_is_raised_after_the_others_had_their_turn(world):
    met = []

    def fail_in_the_first(tenant):
        met.append(tenant.slug)
        if len(met) == 1:
            raise ValueError(tenant.slug)

    with pytest.raises(ValueError, match=r"acme-corp|globex-inc"):
        visit_tenants(fail_in_the_first)

    assert len(met) == 2
