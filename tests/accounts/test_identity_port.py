"""What every adapter of the identity port must do. A new adapter joins the list in `PROVIDERS`."""

import pytest
import requests

from accounts.identity.builtin.provider import BuiltinProvider
from accounts.identity.models import Realm
from core.tenancy import TenantRef, enter
from tests.support.issuer import Issuer

PROVIDERS = [pytest.param(BuiltinProvider, id="builtin")]


@pytest.fixture(params=PROVIDERS)
def provider(request):
    return request.param()


@pytest.fixture
def tenant(new_tenant, provider) -> TenantRef:
    """A fresh tenant without a realm."""
    ref: TenantRef = new_tenant().ref
    provider.delete_realm(ref)
    return ref


def test_a_realm_is_made_once(provider, tenant):
    assert not provider.realm_exists(tenant)

    first, second = provider.make_realm(tenant), provider.make_realm(tenant)

    assert first == second == f"http://{tenant.slug}.localhost:8000/op"
    assert provider.realm_exists(tenant)
    with enter(tenant):
        assert Realm.objects.filter(is_current=True).count() == 1


def test_a_deleted_realm_is_gone_with_its_accounts_and_deleting_again_is_harmless(provider, tenant):
    provider.make_realm(tenant)
    before = provider.make_account(tenant, email="one@port.example", name="One")

    provider.delete_realm(tenant)
    provider.delete_realm(tenant)

    assert not provider.realm_exists(tenant)
    provider.make_realm(tenant)
    after = provider.make_account(tenant, email="one@port.example", name="One")
    assert after.created
    assert after.subject != before.subject


def test_a_realm_made_again_has_other_keys_and_another_secret(provider, tenant):
    provider.make_realm(tenant)
    one = Issuer(tenant).secret
    provider.delete_realm(tenant)

    provider.make_realm(tenant)

    assert Issuer(tenant).secret != one


def test_accounts_are_counted(provider, tenant):
    provider.make_realm(tenant)
    before = provider.count_accounts(tenant)

    provider.make_account(tenant, email="one@port.example", name="One")
    provider.make_account(tenant, email="one@port.example", name="One")

    assert provider.count_accounts(tenant) == before + 1


def test_an_account_is_made_once_and_found_by_its_address(provider, tenant):
    provider.make_realm(tenant)

    first = provider.make_account(tenant, email="One@Port.example", name="One")
    second = provider.make_account(tenant, email=" one@port.example ", name="Another name")

    assert first.created
    assert not second.created
    assert first.subject == second.subject


def test_making_an_account_again_changes_no_password(provider, tenant, visitor):
    provider.make_realm(tenant)
    provider.make_account(tenant, email="one@port.example", name="One", password="seven plain words 7")

    provider.make_account(tenant, email="one@port.example", name="One", password="another password 7")

    assert visitor(tenant).sign_in("one@port.example", "seven plain words 7").get("/profile/").status_code == 200


def test_a_link_lets_an_account_without_password_in_as_the_subject_that_was_told(provider, tenant, visitor):
    from accounts.people.models import Person
    from accounts.people.services import make_builtin_roles

    provider.make_realm(tenant)
    with enter(tenant):
        make_builtin_roles()
    account = provider.make_account(tenant, email="one@port.example", name="One")
    link = provider.make_password_link(tenant, subject=account.subject)

    visitor(tenant).post(
        link.partition(":8000")[2], {"password": "seven plain words 7", "password_again": "seven plain words 7"}
    )
    visitor(tenant).sign_in("one@port.example", "seven plain words 7")

    assert link.startswith(f"http://{tenant.slug}.localhost:8000/")
    with enter(tenant):
        assert Person.objects.get(email="one@port.example").subject == account.subject


def test_realms_do_not_know_each_others_accounts(provider, tenant, new_tenant):
    other = new_tenant().ref
    provider.make_realm(tenant)
    one = provider.make_account(tenant, email="one@port.example", name="One")

    two = provider.make_account(other, email="one@port.example", name="One")

    assert two.created
    assert two.subject != one.subject


def test_the_issuer_publishes_itself_under_the_name_that_was_returned(provider, tenant):
    issuer = provider.make_realm(tenant)

    document = _fetch(tenant, f"{issuer}/.well-known/openid-configuration")

    assert document["issuer"] == issuer
    assert "S256" in document["code_challenge_methods_supported"]
    assert _fetch(tenant, document["jwks_uri"])["keys"]


def _fetch(tenant: TenantRef, url: str):
    from accounts.identity.realms import current_realm
    from accounts.identity.transport import session_for

    with enter(tenant):
        answer: requests.Response = session_for(current_realm()).get(url, timeout=10)
    assert answer.status_code == 200
    return answer.json()
