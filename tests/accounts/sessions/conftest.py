import secrets

import pytest

from accounts.identity.models import Account
from accounts.sessions.models import BrowserSession
from core.audit.models import AuditEntry
from core.tenancy import enter


@pytest.fixture(scope="session")
def quiet_tenant(django_db_setup, django_db_blocker, world):
    """A tenant for people of `fresh`, who need commits and each other's absence, not a tenant each."""
    from tests.support import people

    with django_db_blocker.unblock():
        tenant = people.provision()
    yield tenant.ref
    with django_db_blocker.unblock():
        people.remove(tenant)


@pytest.fixture
def fresh(committed, quiet_tenant, visitor):
    """Somebody whom no other test knows, who signs in with as many browsers as asked: `fresh.sign_in()`."""

    class Fresh:
        def __init__(self):
            from accounts.identity import provider
            from accounts.identity.realms import current_realm
            from accounts.people.services import add_person
            from tests.support.people import PASSWORD

            self.ref, self.password = quiet_tenant, PASSWORD
            self.email = f"fresh-{secrets.token_hex(6)}@people.example"
            made = provider().make_account(self.ref, email=self.email, name="Somebody New", password=PASSWORD)
            with enter(self.ref):
                self.person = add_person(
                    realm=current_realm(), subject=made.subject, email=self.email, name="Somebody New", role="admin"
                )

        def sign_in(self, **headers):
            browser = visitor(self.ref)
            browser.client.defaults.update(headers)
            return browser.sign_in(self.email, self.password)

        def rows(self):
            with enter(self.ref):
                return list(BrowserSession.objects.filter(principal_id=self.person.pk).order_by("started_at"))

        def change(self, **values):
            with enter(self.ref):
                BrowserSession.objects.filter(principal_id=self.person.pk).update(**values)

        def change_account(self, **values):
            with enter(self.ref):
                Account.objects.filter(pk=self.person.subject).update(**values)

        def ended(self):
            """How their sessions were ended, and by whom."""
            with enter(self.ref):
                entries = AuditEntry.objects.filter(action="session.ended", target_id=self.person.pk).order_by("id")
                return [(entry.facts["how"], entry.actor_kind) for entry in entries]

    return Fresh()


@pytest.fixture
def is_signed_in():
    return lambda browser: browser.get("/profile/").status_code == 200
