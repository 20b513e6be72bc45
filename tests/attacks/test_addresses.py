"""Host header tricks: what a visitor writes about the address decides nothing but which tenant is asked."""

import re

import pytest

from accounts import tasks
from accounts.identity.models import PasswordLink
from core.tenancy import enter
from tests.attacks.site import ME, begin, is_signed_in
from tests.support.browser import Visitor
from tests.support.issuer import claims_of, query_of
from tests.support.keycloak import cookies_of
from tests.support.people import PASSWORD

FORGED = ["X-Forwarded-Host", "X-Forwarded-Server", "X-Host", "X-Original-Host", "X-HTTP-Host-Override", "Forwarded"]


def header(name, host):
    return {f"HTTP_{name.upper().replace('-', '_')}": f"host={host}" if name == "Forwarded" else host}


@pytest.mark.parametrize("name", FORGED)
def test_no_other_header_names_the_tenant(name, a, b, user, tokens):
    """With A's token and session at A's address, and B named beside it; and the other way round."""
    at_a, at_b = header(name, a.program.host), header(name, b.program.host)

    own = a.api(tokens["access_token"], **at_b)
    theirs = b.api(tokens["access_token"], **at_a)
    page = user.pages.get("/", **at_b)
    moved = Visitor(b.ref, cookies=user.pages.cookies).get("/profile/", **at_a)

    assert (own.status_code, own.json()["email"]) == (200, a.people["user"].email)
    assert (theirs.status_code, theirs.json()["code"]) == (401, "token_refused")
    assert b.tenant.name not in page.content.decode()
    assert moved.status_code == 302


@pytest.mark.parametrize(
    "host",
    [
        "{a}, {b}", "{a} {b}", "{a}@{b}", "{b}@{a}", "{a}/{b}", "{a}#{b}", "{a}\\{b}", "{a}\x00{b}", "{a}:80:90", "{a}:x",
        "{a}.evil.example", "evil.example", "x.{a}", "[{a}]", "",
    ],
)  # fmt: skip
def test_a_host_that_is_two_or_none_is_nobodys(host, a, b, tokens):
    names = {"a": a.program.host.partition(":")[0], "b": b.program.host.partition(":")[0]}

    answer = Visitor(host=host.format(**names) or " ").get(ME, HTTP_AUTHORIZATION=f"Bearer {tokens['access_token']}")

    assert answer.status_code == 404
    assert "Location" not in answer.headers


@pytest.mark.parametrize("port", ["1", "9000", "65535"])
def test_a_port_that_the_visitor_wrote_is_in_no_address_that_we_write(port, a):
    """Not in what the issuer is asked, nor in what the issuer says of itself, nor in a mail."""
    name = a.program.host.partition(":")[0]
    visitor = Visitor(host=f"{name}:{port}")

    begun = visitor.get("/oidc/authenticate/?next=/")

    assert query_of(begun)["redirect_uri"] == a.callback
    assert begun["Location"].startswith(f"{a.said['authorization_endpoint']}?")


def test_a_sign_in_leads_to_the_addresses_own_callback_whatever_is_said_of_it(a, b):
    for name in FORGED:
        visitor = a.stranger()
        begun = visitor.pages.get("/oidc/authenticate/?next=/", **header(name, "evil.example"))
        assert query_of(begun)["redirect_uri"] == a.callback
        assert "evil.example" not in begun["Location"]
    assert begin(b.stranger())["redirect_uri"] == b.callback


def test_the_issuer_calls_itself_by_no_forged_name(a):
    forged = {name: "host=evil.example;proto=https" if name == "Forwarded" else "evil.example" for name in FORGED}

    said = a.ask("GET", f"{a.issuer}/.well-known/openid-configuration", headers=forged).json()

    assert said["issuer"] == a.issuer
    assert "evil.example" not in str(said)


def test_a_token_that_an_issuer_gave_under_another_name_is_refused(a):
    """A Keycloak whose settings name no address calls itself what it is called, and signs with its real key."""
    if a.is_builtin:  # its name is the tenant's address, whatever port somebody writes
        code, verifier = a.code(a.browser())
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": a.callback}
        form |= {"client_id": "plexica-web", "client_secret": a.secret}
        given = Visitor(host=f"{a.program.host.partition(':')[0]}:9000").form("/op/token/", form)
        assert claims_of(given.json()["access_token"])["iss"] == a.issuer
        return
    walk = a.stranger()
    walk.issuer.headers["Host"] = "evil.example"
    answer, verifier = a.authorize(walk)
    action = re.search(r'id="kc-form-login"[^>]*action="([^"]+)"', answer.text).group(1).replace("&amp;", "&")
    real = a.issuer.partition("/realms/")[0]
    answer = walk.issuer.post(
        action.replace("http://evil.example", real),
        data={"username": a.people["user"].email, "password": PASSWORD, "credentialId": ""},
        cookies=cookies_of(walk.issuer),
        allow_redirects=False,
    )
    form = {"grant_type": "authorization_code", "redirect_uri": a.callback, "code_verifier": verifier}
    form |= {"code": query_of(answer.headers)["code"], "client_id": "plexica-web", "client_secret": a.secret}

    given = walk.issuer.post(a.said["token_endpoint"], data=form).json()["access_token"]

    assert claims_of(given)["iss"] == f"http://evil.example/realms/{a.ref.slug}"
    assert a.refuses(given)


def test_the_link_of_a_mail_leads_to_the_address_of_the_tenant(a, mailoutbox, monkeypatch):
    """Asked for with another port, and another host beside it. Passwords are forgotten at the built-in issuer alone."""
    asked = []
    monkeypatch.setattr(tasks.mail_reset_link, "delay", lambda **sent: asked.append(sent))
    name = a.program.host.partition(":")[0]
    visitor = Visitor(host=f"{name}:9000")
    page = visitor.get("/op/forgot-password/")
    if not a.is_builtin:
        assert page.status_code == 404
        return
    forged = {"HTTP_X_FORWARDED_HOST": "evil.example", "HTTP_ORIGIN": f"http://{name}:9000"}
    who = a.newcomer()

    answer = visitor.post("/op/forgot-password/", {"email": who.email}, page=page, **forged)
    with enter(a.ref):
        tasks.mail_reset_link(**asked[0])
        assert PasswordLink.objects.filter(subject=who.subject).count() == 1

    assert answer.status_code == 200
    assert f"http://{a.program.host}/op/set-password/" in mailoutbox[-1].body
    assert "evil.example" not in mailoutbox[-1].body
    assert ":9000" not in mailoutbox[-1].body


def test_a_session_is_worth_nothing_under_another_name_of_the_server(a, user):
    for host in ("127.0.0.1:8000", "localhost:8000"):
        moved = Visitor(host=host, cookies=user.pages.cookies)
        assert moved.get("/profile/").status_code in (302, 404)
        assert moved.get(ME).status_code in (401, 404)
    assert is_signed_in(user)
