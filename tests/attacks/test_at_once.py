"""The second click, two tabs, the lost connection: every call of the API that writes, four times at once.

For every operation of the API's own document: plainly, with the version that all four have seen where it takes `If-Match`,
and with one key where it takes `Idempotency-Key`. An endpoint needs an object to be tried on: `things_of` for a tenant's,
`thing_of_the_platform` for the platform's. One that has none fails here.
"""

import io
import secrets
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.clients.models import ApiClient
from accounts.clients.services import make_client
from accounts.operators.models import Operator
from accounts.operators.services import create_operator
from accounts.second_factors import require_two_factor
from accounts.sessions.models import BrowserSession
from archives import content, place
from archives.models import Archive
from archives.services.imports import receive_archive
from core.actors import SYSTEM
from core.audit.models import AuditEntry
from core.tenancy import enter, enter_platform
from events.messages import Message
from events.outbox.models import FailedMessage, OutboxMessage
from events.webhooks.models import Delivery, Webhook
from superadmin.downloads import CONTENT_TYPE
from tenants.models import Domain, Operation, Tenant
from tenants.selectors import installation_code
from tenants.services.deletion import request_deletion
from tests.attacks.things import BODIES, filled, operations, things_of
from tests.support.browser import Visitor
from tests.support.meeting import meet
from tests.support.raw import superuser
from tests.support.sessions import make_session

TIMES = 4
HOWS = {"plainly": "", "with one version": "If-Match", "with one key": "Idempotency-Key"}
# what is meant to be done as often as somebody asks for it
EACH_TIME = {
    ("post", "/api/v1/people/{person_id}/unlock/"),
    ("post", "/api/v1/people/{person_id}/reset-second-factor/"),
    ("post", "/api/v1/invitations/{invitation_id}/resend/"),
    ("post", "/api/v1/api-clients/"),
    ("post", "/api/v1/api-clients/{client_id}/secret/"),
    ("post", "/api/v1/webhooks/"),
    ("post", "/api/v1/webhooks/{webhook_id}/rotate-secret/"),
    ("post", "/api/v1/webhooks/{webhook_id}/test/"),
    ("post", "/api/v1/imports/"),
    ("post", "/api/v1/events/replays/"),
    ("post", "/api/v1/operators/{operator_id}/unlock/"),
    ("post", "/api/v1/operators/{operator_id}/reset-second-factor/"),
}


def writing(*, platform: bool) -> list[Any]:
    """Return the calls that write as parameters of a test."""
    found = []
    for method, path, said in operations(platform=platform):
        takes = {parameter["name"] for parameter in said.get("parameters", ()) if parameter["in"] == "header"}
        if method != "get":
            hows = [how for how, header in HOWS.items() if not header or header in takes]
            found += [pytest.param(method, path, how, id=f"{method} {path} {how}") for how in hows]
    return found


def body_of(method: str, path: str, **said: Any) -> Any:
    """Return a body that the operation takes, and that nobody has sent before."""
    body, mark = BODIES.get((method, path)), secrets.token_hex(4)
    fresh = {"slug": f"porters-{mark}", "label": f"Porters {mark}", "email": f"{mark}@new.example", **said}
    return body and {name: fresh.get(name, value) for name, value in body.items()}


def headers_of(how: str, version: int | None) -> dict[str, str]:
    return {"plainly": {}, "with one version": {"HTTP_IF_MATCH": str(version)},
            "with one key": {"HTTP_IDEMPOTENCY_KEY": secrets.token_hex(8)}}[how]  # fmt: skip


def at_once(call, *, where, ref, once: bool, how: str) -> None:
    """Send a call several times at once, and once more if a key makes that harmless; look at what came of it."""
    with enter(ref) if ref else enter_platform():
        audited = set(AuditEntry.objects.values_list("pk", flat=True))
    sent = OutboxMessage.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

    answers = meet(*[call] * TIMES)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    later = [call()] if how == "with one key" else []

    with enter(ref) if ref else enter_platform():
        entries = AuditEntry.objects.exclude(pk__in=audited)
        done = Counter(
            f"{one.action} {one.facts.get('session', '')}".strip() for one in entries
        )  # each session ends once
    told = Counter(OutboxMessage.objects.filter(pk__gt=sent).values_list("name", flat=True))
    statuses = Counter(answer.status_code for answer in answers)
    good = [answer for answer in [*answers, *later] if answer.status_code < 300]
    seen = f"{where}: {dict(statuses)}, audited {dict(done)}, told {dict(told)}"
    assert not [status for status in statuses if status >= 500], seen
    assert good, seen
    if once or how != "plainly":
        assert set(done.values()) <= {1}, seen
        assert set(told.values()) <= {1}, seen
        assert len({answer.json()["id"] for answer in good if answer.status_code in (201, 202)}) <= 1, seen
    else:
        assert max(done.values(), default=0) <= len(good), seen
    if how == "with one key":
        assert later[0].status_code < 300, seen
        assert len({answer.json()["id"] for answer in good}) == 1, seen
        refused = [answer.json()["code"] for answer in answers if answer.status_code >= 300]
        assert set(refused) <= {"idempotency_conflict"}, (seen, refused)


# --- a tenant's ------------------------------------------------------------------------------------------------------


@pytest.fixture
def tidy(a, path):
    """Tenant A as each test finds it, and leaves it to others: few webhooks, nobody's session, no second factors."""

    def tidy_up() -> None:
        with enter(a.ref):
            Webhook.objects.all().delete()
            if "/sessions/" in path:
                BrowserSession.objects.all().delete()
            if "/settings/" in path:
                require_two_factor(required=False, actor=SYSTEM)
        for role in a.people if "/sessions/" in path else ():
            a.forget(role)

    tidy_up()
    yield a
    tidy_up()


@pytest.mark.parametrize("kind", ["builtin"], indirect=True)
@pytest.mark.parametrize(("method", "path", "how"), writing(platform=False))
def test_a_tenants_calls_at_once(method, path, how, kind, tidy):
    a = tidy
    model, pk = things_of(a).get(path, (None, None)) if "{" in path else (None, None)
    assert model or "{" not in path, f"{path} has nothing to be tried on"
    with enter(a.ref):
        row = model.objects.get(pk=pk) if model else None
    ids = {"webhook_id": row.webhook_id} if isinstance(row, Delivery) else {}
    token = a.tokens(a.browser("admin"))["access_token"]
    body, headers = body_of(method, path), headers_of(how, getattr(row, "version", None))
    address = filled(path, pk, **ids)

    def call() -> Any:
        return a.api(token, method.upper(), address, body=body, **headers)

    at_once(call, where=(method, path), ref=a.ref, once=(method, path) not in EACH_TIME, how=how)


# --- the platform's --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def packed(world, django_db_blocker):
    """The bytes of an export of acme-corp."""
    target = io.BytesIO()
    with django_db_blocker.unblock():
        content.write_archive(target, Tenant.objects.get(slug="acme-corp"), masked=False)
    return target.getvalue()


@pytest.fixture
def nothing_stays(committed):
    """No tenant is left that exists as a row alone, no operation that a worker would take, no archive, no event in line."""
    tenants, archives = (set(model.objects.values_list("pk", flat=True)) for model in (Tenant, Archive))
    yield
    with superuser() as connection:  # the app deletes none of them
        connection.execute("DELETE FROM events_failed; DELETE FROM events_parked")
    for archive in Archive.objects.exclude(pk__in=archives):
        place.discard(archive)
    made = Tenant.objects.exclude(pk__in=tenants)
    Operation.objects.filter(tenant__in=made).update(status=Operation.Status.CANCELLED)
    Domain.objects.filter(tenant__in=made).delete()
    made.update(status=Tenant.Status.DELETED)


def tenant_that(status: str) -> Tenant:
    """Return a tenant that exists as a row alone."""
    slug = f"at-once-{secrets.token_hex(4)}"
    tenant = Tenant.new(
        installation=installation_code(), slug=slug, name=slug, admin_email="a@once.example", status=status
    )
    tenant.save(force_insert=True)
    return tenant


def deleting() -> Tenant:
    tenant = tenant_that("active")
    request_deletion(tenant_id=tenant.pk, typed_slug=tenant.slug, actor=SYSTEM, reason="Tried")
    return Tenant.objects.get(pk=tenant.pk)


def stuck() -> Operation:
    return Operation.objects.create(
        tenant=tenant_that("provisioning"), kind="provision", status="stuck", resumes_as="running", actor_kind="system"
    )


def failed(tenant_id) -> FailedMessage:
    message = Message(
        1, datetime(2026, 11, 20, tzinfo=UTC), "plexica.member.added", 2, tenant_id, "system", None, "r", {}
    )
    return FailedMessage.objects.create(
        subscriber="webhooks", tenant_id=tenant_id, position=secrets.randbelow(10**9), name=message.name,
        message=message.as_text(), attempts=6, error="ValueError: no room",
    )  # fmt: skip


def another_operator() -> Operator:
    email = f"{secrets.token_hex(4)}@once.example"
    return create_operator(email=email, name="Nils Berg", role=Operator.Role.SUPER_ADMIN).operator


def client() -> ApiClient:
    return make_client(name="Warehouse", permissions=[], expires_at=None, actor=SYSTEM).client


def thing_of_the_platform(path: str, world, packed) -> Any:
    """Make something that an operation of the platform can be tried on."""
    own = Operator.objects.get(pk=world.operator.id)
    makers = {
        "/reactivate/": lambda: tenant_that("suspended"),
        "/undo-deletion/": deleting,
        "/delete-now/": deleting,
        "/tenants/{slug}/": lambda: tenant_that("active"),
        "/imports/{import_id}/": lambda: receive_archive(source=io.BytesIO(packed), actor=SYSTEM),
        "/operations/{operation_id}/": stuck,
        "/events/failed/{failed_id}/": lambda: failed(world.acme.id),
        "/events/answers/": lambda: failed(world.acme.id),
        "/api-clients/{client_id}/": client,
        "/operators/{operator_id}/": another_operator,
        "/sessions/{session_id}/": lambda: make_session(own),
    }
    made = next((maker() for part, maker in makers.items() if part in path), None)
    assert made or "{" not in path, f"{path} has nothing to be tried on"
    return made


@pytest.mark.parametrize(("method", "path", "how"), writing(platform=True))
def test_the_platforms_calls_at_once(method, path, how, world, signed_in, packed, nothing_stays):
    thing = thing_of_the_platform(path, world, packed)
    operator = signed_in("operator")
    token = operator.get("/console/tenants/").content.decode().split('name="csrf-token" content="')[1].split('"')[0]
    headers = headers_of(how, getattr(thing, "version", None))
    headers |= {"HTTP_X_CSRFTOKEN": token, "HTTP_ORIGIN": f"http://{operator.host}"}
    body = body_of(
        method, path, typed_slug=getattr(thing, "slug", ""), ids=[str(getattr(thing, "pk", ""))],
        subscriber="webhooks", tenant=world.acme.slug, since=(timezone.now() - timedelta(seconds=1)).isoformat(),
    )  # fmt: skip
    address = filled(path, thing and (thing.slug if "{slug}" in path else thing.pk))

    def call() -> Any:
        visitor = Visitor(cookies=operator.cookies)
        if path == "/api/v1/imports/":
            return visitor._send("POST", path, headers, data=packed, content_type=CONTENT_TYPE)
        return visitor.api(method.upper(), address, body={} if method == "post" and body is None else body, **headers)

    at_once(call, where=(method, path), ref=None, once=(method, path) not in EACH_TIME, how=how)
