"""What commands, health and metrics say of the Keycloaks, and how one is prepared."""

import json
import os
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from pydantic import SecretStr

from accounts.identity.keycloak.client import provisioner
from accounts.identity.keycloak.health import examine_servers, identity_servers
from accounts.identity.keycloak.servers import KeycloakServer, parse_servers
from accounts.identity.keycloak.setup import Administrator, set_up_server
from core.errors import Unavailable
from deploy.embedded.paths import Tree
from deploy.embedded.stack import Stack
from tests.support.issuer import claims_of

NOWHERE = KeycloakServer(name="nowhere", url="http://127.0.0.1:9", provisioner_secret=SecretStr("s"))


def said(*words: str) -> tuple[str, int]:
    out = StringIO()
    try:
        call_command(*words, stdout=out)
    except CommandError as error:
        return out.getvalue(), error.returncode
    return out.getvalue(), 0


@pytest.mark.live
def test_each_server_is_shown_with_its_realms(keycloak, db, settings):
    settings.KEYCLOAK_SERVERS = {"keycloak": keycloak, "nowhere": NOWHERE}

    text, status = said("identity_servers", "--json")

    found = json.loads(text)
    assert status == 1
    assert found["keycloak"]["answers"]
    assert found["keycloak"]["capacity"] == 300
    assert not found["nowhere"]["answers"]
    table, _ = said("identity_servers")
    assert "nowhere" in table
    assert "http://127.0.0.1:9" in table


@pytest.mark.live
def test_figures_of_each_server_are_among_the_metrics(keycloak, db, settings, visitor):
    settings.KEYCLOAK_SERVERS = {"keycloak": keycloak, "nowhere": NOWHERE}

    text = visitor().get("/metrics").content.decode()

    assert 'plexica_identity_server_up{server="keycloak"} 1.0' in text
    assert 'plexica_identity_server_up{server="nowhere"} 0.0' in text
    assert 'plexica_identity_server_capacity{server="nowhere"} 300.0' in text


def test_a_silent_server_makes_the_platform_unready_only_if_it_is_needed(db, settings):
    settings.KEYCLOAK_SERVERS = {"nowhere": NOWHERE}

    identity_servers()
    settings.IDENTITY_PROVIDER = "keycloak"
    with pytest.raises(Unavailable):
        identity_servers()
    assert [(line.level, line.part) for line in examine_servers()] == [("warn", "keycloak nowhere")]


def test_without_keycloaks_there_is_nothing_to_say(db, settings):
    settings.KEYCLOAK_SERVERS = {}

    text, status = said("identity_servers")

    assert status == 0
    assert "built-in issuer" in text
    assert said("setup_keycloak")[1] == 2


@pytest.mark.live
def test_a_server_is_prepared_once_and_mended_when_somebody_changed_it(keycloak):
    other = keycloak.model_copy(update={"provisioner_id": f"provisioner-{os.urandom(3).hex()}"})
    user, password = os.environ["PLEXICA_KEYCLOAK_ADMIN_USER"], os.environ["PLEXICA_KEYCLOAK_ADMIN_PASSWORD"]
    admin = Administrator.sign_in(other, user, password)
    try:
        first = [note.says for note in set_up_server(admin) if note.level == "changed"]
        second = [note.says for note in set_up_server(admin) if note.level == "changed"]
        client = admin.call("GET", "/realms/master/clients", params={"clientId": other.provisioner_id})[0]
        admin.call("PUT", f"/realms/master/clients/{client['id']}", json={"fullScopeAllowed": True, "secret": "other"})
        mended = [note.says for note in set_up_server(admin) if note.level == "changed"]

        assert first[0] == f"made the client {other.provisioner_id}"
        assert len(first) == 3
        assert second == []
        assert mended == [f"set of {other.provisioner_id}: fullScopeAllowed, secret"]
        claims = claims_of(provisioner(other).token(fresh=True))
        assert claims["realm_access"]["roles"] == ["create-realm"]
        assert "resource_access" not in claims
    finally:
        admin.call("DELETE", f"/realms/master/clients/{client['id']}")


@pytest.mark.live
def test_the_command_looks_at_version_theme_and_caches(keycloak):
    management = Stack(Tree.here()).server("keycloak").management_url

    text, status = said("setup_keycloak", "keycloak", "--management-url", management, "--json")

    says = [note["says"] for note in json.loads(text)["keycloak"]]
    assert status == 0, says
    assert "version 26.7.1" in says
    assert "the login theme plexica is there" in says
    assert any("realm cache holds 100000 entries" in line for line in says)


@pytest.mark.live
def test_a_cache_that_is_too_small_is_said(keycloak):
    management = Stack(Tree.here()).server("keycloak").management_url
    large = keycloak.model_copy(update={"capacity": 5_000})
    user, password = os.environ["PLEXICA_KEYCLOAK_ADMIN_USER"], os.environ["PLEXICA_KEYCLOAK_ADMIN_PASSWORD"]

    notes = list(set_up_server(Administrator.sign_in(large, user, password), management_url=management))

    assert any("max-count=250000" in note.says for note in notes if note.level == "warn")


@pytest.mark.live
def test_a_wrong_administrator_is_refused_in_one_sentence(keycloak, monkeypatch):
    monkeypatch.setenv("PLEXICA_KEYCLOAK_ADMIN_PASSWORD", "wrong")

    with pytest.raises(CommandError, match="Invalid user credentials"):
        call_command("setup_keycloak", "keycloak")


@pytest.mark.live
def test_the_theme_is_served(keycloak, made_page):
    assert "css/plexica.css" in made_page


@pytest.fixture
def made_page(settings, keycloak, new_tenant):
    """The text of a realm's sign-in page."""
    from tests.support.walk import Walk

    settings.IDENTITY_PROVIDER = "keycloak"
    return Walk(new_tenant().ref).start().text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[", "no JSON"),
        ('[{"name": "a", "url": "http://x"}]', "provisioner_secret"),
        ('[{"name": "A b", "url": "http://x", "provisioner_secret": "s"}]', "name"),
        ('[{"name": "a", "url": "ftp://x", "provisioner_secret": "s"}]', "scheme"),
        ('[{"name": "a", "url": "http://x", "provisioner_secret": "s", "capacity": 0}]', "capacity"),
        ('[{"name": "a", "url": "http://x", "provisioner_secret": "s", "colour": "red"}]', "colour"),
        ('[{"name": "a", "url": "http://x", "provisioner_secret": "s"}, {"name": "a", "url": "http://y", "provisioner_secret": "s"}]', "own"),
    ],
)  # fmt: skip
def test_a_wrong_list_of_servers_says_what_is_wrong(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_servers(text)


def test_a_server_is_known_by_its_outer_address_and_asked_at_its_inner_one(odd_server):
    import requests

    from accounts.identity.transport import InnerAdapter

    url, heard = odd_server
    session = requests.Session()
    session.mount("https://login.example/", InnerAdapter("https://login.example", url))

    session.get("https://login.example/realms/acme/certs", timeout=5)

    assert heard == [("/realms/acme/certs", "login.example", "https")]


@pytest.fixture
def odd_server():
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append((self.path, self.headers["Host"], self.headers["X-Forwarded-Proto"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
