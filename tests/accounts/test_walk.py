"""The walk of a sign-in over HTTP: out with state, nonce and PKCE, in only with what was asked for."""

import re
from urllib.parse import unquote

import pytest
from django.conf import settings as django_settings

from accounts.people.models import Person
from core.audit.models import AuditEntry
from core.tenancy import enter
from tests.support.issuer import query_of

SESSION = django_settings.SESSION_COOKIE_NAME
ISSUER = django_settings.ISSUER_COOKIE_NAME


def start(visitor, to="/"):
    """Begin a sign-in; return what the issuer is asked, without going there."""
    return query_of(visitor.get(f"/oidc/authenticate/?next={to}"))


@pytest.fixture
def at_issuer(committed, world, signed_in, acme, visitor):
    """Somebody with the member's session at the issuer and none on pages. Their sign-in can be walked for real."""

    def make():
        known = signed_in("member")
        only_issuer = {name: morsel for name, morsel in known.cookies.items() if name == ISSUER}
        return visitor(acme, cookies=only_issuer)

    return make


def is_signed_in(visitor):
    return visitor.get("/profile/").status_code == 200


def test_the_way_out_carries_state_nonce_and_a_challenge(db, visitor, acme):
    one, two = start(visitor(acme)), start(visitor(acme))

    assert one["response_type"] == "code"
    assert one["code_challenge_method"] == "S256"
    assert one["client_id"] == "plexica-web"
    assert one["redirect_uri"] == f"http://{visitor(acme).host}/oidc/callback/"
    assert set(one["scope"].split()) == {"openid", "email", "profile"}
    for name in ("state", "nonce", "code_challenge"):
        assert len(one[name]) >= 32
        assert one[name] != two[name]


def test_the_secret_and_the_verifier_never_pass_through_the_browser(db, visitor, acme, acme_issuer):
    asked = start(visitor(acme))

    assert acme_issuer.secret not in asked.values()
    assert "code_verifier" not in asked


def test_the_whole_walk_ends_where_it_began(at_issuer):
    visitor = at_issuer()

    landed = visitor.get("/team/?sort=-name", follow=True)

    assert landed.status_code == 200
    assert landed.request["PATH_INFO"] == "/team/"
    assert landed.request["QUERY_STRING"] == "sort=-name"


def test_a_sign_in_is_recorded_once(at_issuer, acme, world):
    somebody = at_issuer()  # whose account the issuer knows: by a sign-in of its own
    with enter(acme):
        before = AuditEntry.objects.filter(action="session.started").count()

    somebody.get("/", follow=True)

    with enter(acme):
        assert AuditEntry.objects.filter(action="session.started").count() == before + 1


def test_an_error_of_the_issuer_leads_to_a_page_that_offers_another_try(db, visitor, acme):
    person = visitor(acme)
    state = start(person)["state"]

    page = person.get(f"/oidc/callback/?error=access_denied&state={state}", follow=True)

    assert page.status_code == 403
    assert "Sign in again" in page.content.decode()


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example/", "https:evil.example", "http:///evil.example", "/\\evil.example", "\\\\evil.example",
        "https://evil.example/", "javascript:alert(1)", "http://globex-inc.localhost:8000/", "%09//evil.example",
        "/%09/evil.example", "http://acme-corp.localhost:8000@evil.example/", "http://acme-corp.localhost:8000.evil.example/",
    ],
)  # fmt: skip
class TestNextLeadsNowhereElse:
    def test_after_a_sign_in(self, elsewhere, owner):
        """Read in the session, where the walk keeps it: the walk itself is told above."""
        from importlib import import_module

        owner.get(f"/oidc/authenticate/?next={elsewhere}")

        with enter(self.acme):
            session = import_module(django_settings.SESSION_ENGINE).SessionStore(owner.cookies[SESSION].value)
            assert not session.get("oidc_login_next")

    def test_at_the_issuers_form(self, elsewhere, owner):
        answer = owner.get(f"/op/sign-in/?next={elsewhere}")

        assert answer.status_code == 200
        assert 'name="next" value="/"' in answer.content.decode()

    def test_when_the_language_is_switched(self, elsewhere, owner):
        answer = owner.post("/language/", {"language": "it", "next": unquote(elsewhere)}, page=owner.get("/"))

        assert answer.status_code == 302
        assert answer["Location"] == "/"

    @pytest.fixture(autouse=True)
    def _tenant(self, acme):
        self.acme = acme


# --- sessions --------------------------------------------------------------------------------------------------------


def test_cookies_are_host_only_unreadable_for_scripts_and_apart_for_each_port(committed, world, visitor, acme):
    person = visitor(acme).sign_in(world.person("member").email, world.person("member").password)

    session, issuer = person.cookies[SESSION], person.cookies[ISSUER]
    assert (session.key, issuer.key) == ("px_session_8000", "px_issuer_8000")
    for morsel, path in ((session, "/"), (issuer, "/op/")):
        assert morsel["path"] == path
        assert morsel["httponly"]
        assert morsel["samesite"] == "Lax"
        assert not morsel["domain"]


# --- signing out -----------------------------------------------------------------------------------------------------


def test_signing_out_ends_both_sessions(owner, acme_issuer):
    token = owner.get("/")
    here = owner.post("/oidc/sign-out/", page=token)
    assert here["Location"].startswith(f"{acme_issuer.issuer}/sign-out/?")

    back = owner.get(here["Location"])

    assert back.status_code == 302
    assert back["Location"].rstrip("/") == f"http://{owner.host}"
    assert not is_signed_in(owner)
    form = owner.get("/", follow=True)
    assert form.request["PATH_INFO"] == "/op/sign-in/"
    assert 'name="password"' in form.content.decode()


def test_a_sign_out_at_the_issuer_without_proof_asks_first(owner, acme_issuer):
    answer = owner.get("/op/sign-out/")

    assert answer.status_code == 200
    still, _ = acme_issuer.authorize(owner)
    assert "code" in query_of(still)


# --- who is who ------------------------------------------------------------------------------------------------------


def test_a_person_is_found_by_realm_and_subject_not_by_address(at_issuer, acme, world):
    from django.db import connection

    email = world.person("member").email
    with enter(acme):
        person = Person.objects.get(email=email)
        Person.objects.filter(pk=person.pk).update(email="renamed@people.example")
        before = Person.objects.count()

    at_issuer().get("/", follow=True)

    with enter(acme):
        assert Person.objects.count() == before
        assert Person.objects.get(pk=person.pk).email == email
        assert not connection.in_atomic_block


def test_an_account_in_the_platforms_realm_that_is_no_operator_stays_outside(committed, visitor):
    from accounts.identity.builtin.provider import BuiltinProvider
    from accounts.operators.models import Operator

    BuiltinProvider().make_account(None, email="no-operator@people.example", name="Nobody", password="plain words 7 7")
    before = Operator.objects.count()
    person = visitor()
    form = person.get("/console/", follow=True)
    answer = person.post(
        "/op/sign-in/",
        {
            "email": "no-operator@people.example",
            "password": "plain words 7 7",
            "next": re.search(r'name="next" value="([^"]*)"', form.content.decode()).group(1).replace("&amp;", "&"),
        },
        page=form,
    )

    landed = person.get(answer["Location"], follow=True)

    assert landed.status_code == 403
    assert person.get("/console/tenants/").status_code == 302
    assert Operator.objects.count() == before


def test_what_was_typed_stays_and_the_password_does_not(db, visitor, acme):
    page = visitor(acme).post("/op/sign-in/", {"email": "typed@people.example", "password": "typed-password-7"})

    assert "typed@people.example" in page.content.decode()
    assert "typed-password-7" not in page.content.decode()
