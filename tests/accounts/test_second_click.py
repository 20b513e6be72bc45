"""The second click on a page's button, before the first was answered: no error of ours, and nothing done twice."""

import secrets

import pytest

from accounts.identity import links
from accounts.people.invitations.services import invite, issue_token
from accounts.people.models import Person
from accounts.people.services import make_role
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.tenancy import enter
from tests.attacks.site import answer_of_issuer
from tests.support.authenticator import hidden, switch_on
from tests.support.browser import Visitor
from tests.support.meeting import meet
from tests.support.people import PASSWORD

NEW = {"password": "seven plain words 7", "password_again": "seven plain words 7"}


def twice(function):
    """Call twice at once, and raise what went wrong."""
    answers = meet(function, function)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def click_twice(browser, path, data, page=None):
    """Send a page's form twice at once; return the statuses of both answers, the lower one first."""
    page = page or browser.get(path)
    twins = iter([Visitor(host=browser.host, cookies=browser.cookies) for _ in range(2)])
    answers = twice(lambda: next(twins).post(path, data, page=page))
    return sorted(answer.status_code for answer in answers)


@pytest.mark.parametrize("is_member", [False, True], ids=["somebody new", "a member"])
def test_an_invitation_is_accepted_once(site, somebody, is_member):
    email = somebody.email if is_member else f"{secrets.token_hex(4)}@new.example"
    with enter(site.ref):
        Person.objects.filter(pk=somebody.person_id).update(email="")  # nobody invites who is there
        token = issue_token(invitation_id=invite(email=email, roles=["user"], actor=SYSTEM).pk)
        Person.objects.filter(pk=somebody.person_id).update(email=somebody.email)
    browser = site.sign_in(somebody).pages if is_member else Visitor(site.ref)

    statuses = click_twice(browser, f"/invitations/{token}/", {} if is_member else {"name": "Ada", **NEW})

    assert statuses[0] in (200, 302)
    assert statuses[1] < 500
    with enter(site.ref):
        person = Person.objects.get(email=email)
        assert AuditEntry.objects.filter(action="invitation.accepted", actor_id=person.pk).count() == 1


def test_forms_of_the_portal(site):
    with enter(site.ref):
        role = make_role(label=secrets.token_hex(4), permissions=[], actor=SYSTEM)
    who, admin = site.newcomer(), site.sign_in(site.newcomer("admin")).pages
    person = f"/team/{who.person_id}"
    forms = {
        "/roles/create/": {"label": "Porters", "permissions": ["team.view"]},
        f"/roles/{role.pk}/": {"label": "Renamed", "permissions": []},
        f"/roles/{role.pk}/delete/": {"version": ""},
        "/team/invite/": {"emails": f"{secrets.token_hex(4)}@new.example", "roles": ["user"]},
        f"{person}/roles/": {"roles": []},
        f"{person}/disable/": {"version": ""},
        f"{person}/enable/": {"version": ""},
        f"{person}/unlock/": {"version": ""},
        f"{person}/reset-second-factor/": {"version": ""},
        f"{person}/remove/": {"confirm": who.email},
        "/api-clients/create/": {"name": "Warehouse", "permissions": []},
        "/webhooks/create/": {"url": "https://hooks.example/x", "events": ["plexica.*"]},
        "/profile/": {"name": "Same", "language": "", "time_zone": "", "theme": "light"},
        "/settings/security/": {},
        "/profile/sessions/end-others/": {},
        "/profile/sessions/end-all/": {},
    }

    page = admin.get("/profile/")
    seen = {path: click_twice(admin, path, data, page) for path, data in forms.items()}

    assert not {path: said for path, said in seen.items() if said[0] not in (200, 302) or said[1] >= 500}
    assert seen["/roles/create/"] == seen["/team/invite/"] == [302, 422]
    assert seen[f"{person}/remove/"] == [302, 404]


def test_forms_of_the_issuer(site, somebody):
    browser = Visitor(site.ref)
    signed_in = click_twice(browser, "/op/sign-in/", {"email": somebody.email, "password": PASSWORD, "next": "/"})
    forgot = click_twice(browser, "/op/forgot-password/", {"email": somebody.email})
    with enter(site.ref):
        link = links.make_password_link(somebody.subject)
    password_set = click_twice(browser, f"/{link.split('/', 3)[3]}", NEW)

    assert (signed_in, forgot, password_set) == ([302, 302], [200, 200], [302, 410])


def test_a_recovery_code_counts_once(site, somebody):
    app, browser = switch_on(site.sign_in(somebody).pages, PASSWORD), Visitor(site.ref)
    browser.post("/op/sign-in/", {"email": somebody.email, "password": PASSWORD, "next": "/"})
    page = browser.get("/op/sign-in/code/")

    said = {"code": app.recovery_codes[0], "tab": hidden(page, "tab")}

    assert click_twice(browser, "/op/sign-in/code/", said, page) == [302, 422]


def test_an_answer_of_the_issuer_signs_in_once(site):
    walk = site.known_at_issuer()
    address = answer_of_issuer(walk)
    twins = iter([Visitor(site.ref, cookies=walk.pages.cookies) for _ in range(2)])

    answers = twice(lambda: next(twins).get(address))

    assert sorted(answer["Location"] for answer in answers) == ["/", "/sign-in-failed/"]
