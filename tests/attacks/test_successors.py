"""What a suspended tenant gave, and what a deleted one gave to whoever has its slug after it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.clients.services import make_client
from accounts.doors import match_realms
from accounts.identity.discovery import find_key
from accounts.identity.realms import current_realm
from core.actors import SYSTEM
from core.tenancy import enter
from tenants import directory
from tenants.models import Operation, Tenant
from tenants.selectors import get_operation
from tenants.services.deletion import request_deletion
from tenants.services.lifecycle import reactivate_tenant, suspend_tenant
from tenants.services.work import run_operation
from tests.attacks.site import ME, Site, is_signed_in
from tests.support.issuer import CLI


@pytest.fixture
def victim(new_site):
    """A tenant of the test's own, with everything in an attacker's hands that it gives somebody."""
    return Loot(new_site())


class Loot:
    """What an attacker took: browser, tokens, an unused code, a device code somebody approved, an API client's secret."""

    def __init__(self, site: Site) -> None:
        self.site = site
        who = site.people["admin"]
        self.browser = site.sign_in(who)
        self.tokens = site.tokens(self.browser)
        self.code, self.verifier = site.code(self.browser)
        self.device = site.ask_device().json()
        with enter(site.ref):
            self.client = make_client(name="Robot", permissions=["team.view"], expires_at=None, actor=SYSTEM)
        given = site.token(
            grant_type="client_credentials", client_id=self.client.client.client_id, client_secret=self.client.secret
        )
        self.clients_token = given.json()["access_token"]
        for token in (self.tokens["access_token"], self.clients_token):
            assert site.api(token).status_code == 200  # the key is in the process's memory and in the cache now


def delete(tenant):
    """Carry a deletion out, as the operations worker does after the grace period."""
    operation = request_deletion(tenant_id=tenant.pk, typed_slug=tenant.slug, reason="They left", actor=SYSTEM)
    Operation.objects.filter(pk=operation.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    for _ in range(60):
        if not run_operation(operation.pk):
            break
    assert get_operation(operation.pk).status == Operation.Status.SUCCEEDED
    directory.forget()


def test_nothing_of_a_suspended_tenant_works_until_it_goes_on(victim):
    site, tokens = victim.site, victim.tokens
    suspend_tenant(tenant_id=site.tenant.pk, actor=SYSTEM, reason="The invoice")
    directory.forget()
    match_realms(site.tenant.pk)

    for token in (tokens["access_token"], victim.clients_token):
        answer = site.api(token)
        assert (answer.status_code, answer.json()["code"]) == (403, "tenant_suspended")
    assert victim.browser.pages.get("/profile/").status_code == 403
    assert victim.browser.pages.api("GET", ME).status_code == 403
    assert site.exchange(victim.code, victim.verifier).status_code in (400, 401, 403)
    assert site.refresh(tokens["refresh_token"]).status_code in (400, 401, 403)
    assert site.userinfo(tokens["access_token"]).status_code in (400, 401, 403)
    assert site.ask_device().status_code in (400, 401, 403)
    assert site.poll(victim.device).status_code in (400, 401, 403)
    again = site.token(
        grant_type="client_credentials", client_id=victim.client.client.client_id, client_secret=victim.client.secret
    )
    assert again.status_code in (400, 401, 403)

    reactivate_tenant(tenant_id=site.tenant.pk, actor=SYSTEM, reason="Paid")
    directory.forget()
    match_realms(site.tenant.pk)

    assert is_signed_in(site.sign_in(site.people["admin"]))


def test_nothing_of_a_deleted_tenant_works_at_the_next_one_of_its_slug(victim, new_site):
    old = victim.site
    with enter(old.ref):
        kid = old.own_key()[0]
        assert find_key(current_realm(), kid)
    delete(old.tenant)
    assert Tenant.objects.get(pk=old.tenant.pk).status == Tenant.Status.DELETED

    new = new_site(slug=old.tenant.slug)
    heir = new.newcomer("admin")

    assert (new.issuer, new.callback) == (old.issuer, old.callback)
    for token in (victim.tokens["access_token"], victim.tokens["id_token"], victim.clients_token):
        assert new.refuses(token)
    forged = old.sign(claims_like(victim.tokens["access_token"], sub=heir.subject))
    assert new.refuses(forged)
    with enter(new.ref):
        assert find_key(current_realm(), kid) is None
    for browser in (victim.browser, new.copy_of(victim.browser)):
        assert not is_signed_in(browser)
        assert browser.pages.api("GET", ME).status_code == 401
        assert not browser.is_known_at_issuer()
    for secret in (old.secret, new.secret):
        assert new.exchange(victim.code, victim.verifier, client_secret=secret).status_code in (400, 401)
        assert new.refresh(victim.tokens["refresh_token"], client_secret=secret).status_code in (400, 401)
    assert new.userinfo(victim.tokens["access_token"]).status_code == 401
    assert new.poll(victim.device, client_id=CLI).status_code == 400
    robot = {"client_id": victim.client.client.client_id, "client_secret": victim.client.secret}
    assert new.token(grant_type="client_credentials", **robot).status_code in (400, 401)
    with pytest.raises(AssertionError, match="refused"):
        new.sign_in(old.people["admin"])
    assert is_signed_in(new.sign_in(heir))


def claims_like(token, **changes):
    from tests.support.issuer import claims_of

    return claims_of(token) | changes
