"""A Keycloak that is stopped, slow, cold or answers nonsense, and what becomes of the tenants that are being made."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.utils import timezone
from pydantic import SecretStr

from accounts import doors
from accounts.identity import provider
from accounts.identity.builtin.provider import BuiltinProvider
from accounts.identity.keycloak import client, placement
from accounts.identity.keycloak import provider as adapter
from accounts.identity.keycloak.client import Api, NotSent, exchange
from accounts.identity.keycloak.placement import IdentityServersFull, read_loads
from accounts.identity.keycloak.provider import KeycloakProvider
from accounts.identity.keycloak.servers import KeycloakServer
from accounts.identity.models import Realm
from accounts.steps import RealmStep
from core.errors import Rejected, Unavailable
from core.tenancy import TenantRef, enter
from deploy.embedded.paths import Tree
from deploy.embedded.stack import Stack
from tenants.models import Operation, Tenant
from tenants.selectors import get_operation
from tenants.services.lifecycle import reactivate_tenant, suspend_tenant
from tenants.services.provisioning import request_tenant
from tenants.services.work import run_operation
from tests.support import people

SECOND = "keycloak-2"


# --- answers that a healthy Keycloak can't be made to give ------------------------------------------------


class Answers:
    """A server that answers what it is told to; it says what it was asked."""

    def __init__(self) -> None:
        self.queue: list[tuple[int, str]] = []
        self.asked: list[str] = []
        self.has_realms = True
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append(f"{self.command} {self.path}")
                if self.path.endswith("/token") and not outer.has_realms and "/master/" not in self.path:
                    status, body = 404, "{}"
                elif self.path.endswith("/token"):
                    token = {"access_token": f"t{len(outer.asked)}", "expires_in": 300}
                    status, body = 200, json.dumps(token)
                else:
                    status, body = outer.queue.pop(0)
                if status == 0:  # cut off without an answer
                    self.connection.close()
                    return
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def api(self) -> Api:
        server = KeycloakServer(name="odd", url=self.url, provisioner_secret=SecretStr("s"))
        return Api(server, "a-realm", "plexica-admin", os.urandom(4).hex())


@pytest.fixture
def odd():
    answers = Answers()
    yield answers
    answers.server.shutdown()


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 0])
def test_what_may_have_happened_or_not_is_unavailable_and_not_sent_twice(status, odd):
    odd.queue = [(status, "{}")]

    with pytest.raises(Unavailable) as refusal:
        odd.api().call("POST", "/a-realm/users", json={})

    assert not isinstance(refusal.value, NotSent)
    assert sum("/users" in asked for asked in odd.asked) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_a_no_is_rejected_with_the_servers_words(status, odd):
    odd.queue = [(status, '{"errorMessage": "not like this"}')]

    with pytest.raises(Rejected) as refusal:
        odd.api().call("POST", "/a-realm/users", json={})

    assert refusal.value.facts["said"] == "not like this"
    assert refusal.value.facts["status"] == status


@pytest.fixture
def for_odd(odd, new_tenant, settings) -> Iterator[TenantRef]:
    """A tenant without a realm; the odd server is to make it."""
    ref = new_tenant().ref
    BuiltinProvider().delete_realm(ref)
    settings.KEYCLOAK_SERVERS = {"odd": odd.api().server}
    odd.has_realms = False
    yield ref
    odd.has_realms, odd.queue = True, [(204, "{}")]
    KeycloakProvider().delete_realm(ref)


def outcome_is_known(ref: TenantRef) -> bool:
    with enter(ref):
        return Realm.objects.get(provider="keycloak").asked_at is None


def test_a_server_that_fails_as_it_makes_a_realm_is_asked_again(odd, for_odd):
    odd.queue = [(500, "{}"), (500, "{}"), (201, "{}")]

    KeycloakProvider().make_realm(for_odd)

    assert odd.asked.count("POST /admin/realms") == 3
    assert outcome_is_known(for_odd)


@pytest.mark.parametrize("status", [502, 503, 504, 429, 0])
def test_a_server_that_may_be_making_a_realm_still_is_not_asked_again_at_once(status, odd, for_odd):
    odd.queue = [(status, "{}")]

    with pytest.raises(Unavailable):
        KeycloakProvider().make_realm(for_odd)

    assert odd.asked.count("POST /admin/realms") == 1
    assert not outcome_is_known(for_odd)


def test_a_server_that_fails_each_time_is_unavailable(odd, for_odd):
    odd.queue = [(500, "{}")] * 3

    with pytest.raises(Unavailable):
        KeycloakProvider().make_realm(for_odd)

    assert odd.asked.count("POST /admin/realms") == 3
    assert not outcome_is_known(for_odd)


def test_a_stale_token_is_replaced_once(odd):
    odd.queue = [(401, "{}"), (200, "[]")]
    api = odd.api()

    assert api.call("GET", "/a-realm/users").json() == []

    assert [asked.partition(" ")[0] for asked in odd.asked] == ["POST", "GET", "POST", "GET"]
    odd.queue = [(401, "{}"), (401, "{}")]
    with pytest.raises(Rejected):
        api.call("GET", "/a-realm/users")


def test_a_page_of_something_in_between_is_no_answer(odd):
    odd.queue = [(200, "<html>Please sign in to the hotel's network</html>")]

    with pytest.raises(Unavailable):
        odd.api().call("GET", "/a-realm/users")


def test_a_token_is_asked_for_once_and_used_while_it_is_good(odd):
    odd.queue = [(200, "[]")] * 3
    api = odd.api()

    for _ in range(3):
        api.call("GET", "/a-realm/users")

    assert sum(asked.endswith("/token") for asked in odd.asked) == 1


def test_nobody_is_led_elsewhere(odd):
    odd.queue = [(302, "{}")]

    with pytest.raises(Rejected):
        odd.api().call("GET", "/a-realm/users")


def test_a_server_that_is_not_there_was_sent_nothing():
    with pytest.raises(NotSent):
        exchange("POST", "http://127.0.0.1:9/admin/realms")


# --- a real one that dies and comes back -----------------------------------------------------------------


@pytest.fixture
def on_second(second_keycloak, committed, world, settings):
    """New tenants' realms are made at the server that this test may stop."""
    settings.KEYCLOAK_SERVERS = {SECOND: second_keycloak}
    settings.IDENTITY_PROVIDER = "keycloak"
    stack = Stack(Tree.here())
    stack.up([SECOND])
    made = []

    def ask() -> Operation:
        slug = f"fault-{os.urandom(4).hex()}"
        operation = request_tenant(slug=slug, name="Fault", admin_email=f"a@{slug}.example", actor=world.operator)
        made.append(operation.tenant)
        return operation

    yield stack, ask
    mark = stack.running(SECOND)
    if mark:
        os.kill(mark.pid, signal.SIGCONT)
    stack.up([SECOND])
    for tenant in made:
        tenant.refresh_from_db()
        if tenant.status != Tenant.Status.FAILED:
            people.remove(tenant)


def run_to_the_end(operation: Operation, *, patience_s: float = 90) -> Operation:
    deadline = time.monotonic() + patience_s
    while (operation := get_operation(operation.pk)).is_open and time.monotonic() < deadline:
        Operation.objects.filter(pk=operation.pk).update(due_at=timezone.now())
        run_operation(operation.pk)
        time.sleep(0.2)
    return operation


def realm_step(operation: Operation):
    return operation.steps.get(key="realm")


@pytest.mark.live
def test_a_keycloak_that_dies_while_it_makes_a_realm_is_waited_for(on_second, monkeypatch):
    stack, ask = on_second
    operation = ask()
    kill = threading.Timer(0.15, os.kill, (stack.running(SECOND).pid, signal.SIGKILL))
    run = RealmStep.run

    def dying(self, tenant, inputs):
        kill.start()
        return run(self, tenant, inputs)

    monkeypatch.setattr(RealmStep, "run", dying)
    run_operation(operation.pk)
    kill.join()
    monkeypatch.undo()

    assert realm_step(operation).status == "retrying"
    assert get_operation(operation.pk).is_open
    stack.up([SECOND])
    ended = run_to_the_end(operation)
    assert ended.status == "succeeded", ended.error
    assert provider().realm_exists(ended.tenant.ref)


@pytest.mark.live
def test_a_realm_whose_making_was_not_heard_of_is_taken_as_ours(on_second, monkeypatch):
    stack, ask = on_second
    operation = ask()
    pid = stack.running(SECOND).pid
    monkeypatch.setattr(adapter, "MAKE_S", 0.05)  # the server goes on; we do not wait for it

    run_operation(operation.pk)

    assert realm_step(operation).status == "retrying"
    with enter(operation.tenant.ref):
        assert Realm.objects.get().asked_at
    monkeypatch.setattr(adapter, "MAKE_S", 60.0)
    ended = run_to_the_end(operation)
    assert ended.status == "succeeded", ended.error
    assert provider().count_accounts(ended.tenant.ref) == 1
    assert stack.running(SECOND).pid == pid


@pytest.mark.live
def test_a_server_that_stands_still_is_unavailable_in_time(on_second, monkeypatch, second_keycloak):
    stack, _ask = on_second
    pid = stack.running(SECOND).pid
    os.kill(pid, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        with pytest.raises(Unavailable) as refusal:
            exchange("GET", f"{second_keycloak.url}/realms/master", answer_s=1.0)
        took_s = time.monotonic() - begin
    finally:
        os.kill(pid, signal.SIGCONT)

    assert not isinstance(refusal.value, NotSent)
    assert took_s < 6


@pytest.mark.live
def test_nothing_is_called_undone_while_a_realm_may_still_come(on_second):
    _stack, ask = on_second
    operation = ask()
    ended = run_to_the_end(operation)
    ref = ended.tenant.ref
    identity = KeycloakProvider()
    identity.api(ref).call("DELETE", f"/{ref.slug}")  # as if the call that makes it had not arrived yet
    identity.api(ref).forget()
    with enter(ref):
        Realm.objects.update(asked_at=timezone.now())

    with pytest.raises(Unavailable):
        identity.delete_realm(ref)

    with enter(ref):
        Realm.objects.update(asked_at=timezone.now() - timedelta(seconds=331))
    identity.delete_realm(ref)
    assert not identity.realm_exists(ref)


@pytest.mark.live
def test_a_suspended_tenants_realm_is_closed_when_its_server_is_back(on_second, world):
    stack, ask = on_second
    tenant = run_to_the_end(ask()).tenant
    pid = stack.running(SECOND).pid
    os.kill(pid, signal.SIGSTOP)
    try:
        suspend_tenant(tenant_id=tenant.pk, actor=world.operator, reason="the invoice")  # does not wait for it
        client_s, client.ANSWER_S = client.ANSWER_S, 1.0
        changed = doors.match_realms()
    finally:
        client.ANSWER_S = client_s
        os.kill(pid, signal.SIGCONT)
    assert Tenant.objects.get(pk=tenant.pk).identity_open

    for _ in range(2):
        doors.match_realms()

    assert changed == 0
    assert not Tenant.objects.get(pk=tenant.pk).identity_open
    assert not KeycloakProvider().api(tenant.ref).call("GET", f"/{tenant.slug}").json()["enabled"]
    reactivate_tenant(tenant_id=tenant.pk, actor=world.operator, reason="paid")
    assert doors.match_realms(tenant.pk) == 1
    assert KeycloakProvider().api(tenant.ref).call("GET", f"/{tenant.slug}").json()["enabled"]


# --- several servers -------------------------------------------------------------------------------------


@pytest.mark.live
def test_a_new_realm_goes_to_the_emptiest_server_and_each_tenant_keeps_its_own(
    settings, keycloak, second_keycloak, new_tenant, visitor
):
    settings.KEYCLOAK_SERVERS = {"keycloak": keycloak, SECOND: second_keycloak.model_copy(update={"capacity": 10_000})}
    settings.IDENTITY_PROVIDER = "keycloak"
    one = new_tenant()
    settings.KEYCLOAK_SERVERS = {"keycloak": keycloak.model_copy(update={"capacity": 10_000}), SECOND: second_keycloak}
    before = {load.server.name: load.realms for load in read_loads()}
    two = new_tenant()

    after = {load.server.name: load.realms for load in read_loads()}

    one.refresh_from_db()
    two.refresh_from_db()
    assert {one.identity_server, two.identity_server} == {"keycloak", SECOND}
    assert sum(after.values()) == sum(before.values()) + 1
    for tenant in (one, two):
        with enter(tenant.ref):
            subject = provider().list_accounts(tenant.ref)[0].subject
        provider().set_password(tenant.ref, subject=subject, password=people.PASSWORD)
        visitor(tenant.ref).sign_in(tenant.admin_email, people.PASSWORD)


def test_full_servers_take_no_realm(settings, db):
    settings.KEYCLOAK_SERVERS = {
        "small": KeycloakServer(name="small", url="http://127.0.0.1:9", provisioner_secret=SecretStr("s"), capacity=1)
    }
    Tenant.objects.filter(slug="acme-corp").update(identity_server="small")

    with pytest.raises(IdentityServersFull):
        placement.emptiest(read_loads())


def test_a_look_for_a_realm_needs_no_room(settings, db, acme, odd):
    settings.KEYCLOAK_SERVERS = {
        "small": KeycloakServer(name="small", url=odd.url, provisioner_secret=SecretStr("s"), capacity=1)
    }
    Tenant.objects.filter(slug="globex-inc").update(identity_server="small")
    odd.queue = [(404, "{}")]

    assert not KeycloakProvider().realm_exists(acme)
    assert odd.asked == ["GET /realms/acme-corp"]
