"""Fills a platform's database with what pages need to be looked at; prints the addresses that only it knows, as JSON.

Run by the `platform` fixture as `python -m tests.e2e.scenery`, in the platform's environment.
"""

import json
import os
import sys
from datetime import timedelta

import django

SUSPENDED, WAITING = "hooli", "initech"
STUCK, IN_GRACE, GONE, EXPORTED = "stark", "umbrella", "tyrell", "globex-inc"


def fill() -> dict[str, str]:
    """Give acme-corp a past, make a suspended tenant and one that is being set up; return single-use addresses."""
    from django.db import transaction
    from django.utils import timezone

    from accounts import demo
    from accounts.identity.links import make_password_link
    from accounts.identity.models import Account
    from accounts.tasks import mail_password_link
    from core.actors import SYSTEM
    from core.inbox.mails import list_mails
    from core.tenancy import enter, enter_platform
    from tenants.models import Operation, Tenant
    from tenants.services.provisioning import request_tenant
    from tests.support import people
    from tests.support.platform import START_S

    demo.seed_tenant(next(tenant for tenant in demo.TENANTS if tenant.slug == "acme-corp"))
    hooli = request_tenant(slug=SUSPENDED, name="Hooli", admin_email="gavin@hooli.example", actor=SYSTEM)
    demo.wait_for(hooli.pk, timeout_s=START_S)
    Tenant.objects.filter(slug=SUSPENDED).update(status=Tenant.Status.SUSPENDED, suspended_at=timezone.now())
    with transaction.atomic():  # leased from the first moment on, so that no worker takes it
        asked = request_tenant(slug=WAITING, name="Initech", admin_email="bill@initech.example", actor=SYSTEM)
        lease = timezone.now() + timedelta(days=1)
        Operation.objects.filter(pk=asked.pk).update(lease_owner="nobody", lease_until=lease)
    states = show_operations() | show_roles() | show_ways_in() | show_webhooks() | show_events()
    with enter(Tenant.objects.get(slug="acme-corp").ref):
        member_link = make_password_link(str(Account.objects.get(email=people.email_of("member")).pk))
        mail_password_link(subject=str(Account.objects.get(email=people.email_of("member")).pk))
    with enter_platform():
        operator_link = make_password_link(str(Account.objects.get(email=people.email_of("operator")).pk))
    return {"workspace": member_link, "platform": operator_link, "{mail}": list_mails()[0].key, **states}


def show_operations() -> dict[str, str]:
    """Make tenants with a stuck operation, in their grace period and gone, and a run of the fleet; return ids by placeholder."""
    from core.tenancy import enter_platform

    with enter_platform():
        return {
            "{stuck}": _get_stuck(),
            "{run}": _migrate(),
            "{export}": _export(),
            "{received}": _receive(),
            **_delete(),
        }


def show_ways_in() -> dict[str, str]:
    """Invite people to acme-corp, make API clients there and on the platform; return ids and a link's token by placeholder."""
    import time

    from accounts.clients.models import ApiClient
    from accounts.clients.services import make_client
    from accounts.operators.models import Operator
    from accounts.operators.services import create_operator
    from accounts.people.invitations.services import invite, issue_token, revoke_invitation
    from accounts.people.models import Invitation
    from core.actors import SYSTEM
    from core.tenancy import enter, enter_platform
    from tenants.models import Tenant
    from tests.support.platform import START_S

    with enter(Tenant.objects.get(slug="acme-corp").ref):
        invite(email="ada.lovelace@analytical.example", roles=["user", "guest"], actor=SYSTEM)
        revoked = invite(email="charles@analytical.example", roles=["guest"], actor=SYSTEM)
        revoke_invitation(invitation_id=revoked.pk, actor=SYSTEM)
        invited = invite(email="grace.hopper@navy.example", roles=["user"], actor=SYSTEM)
        deadline = time.monotonic() + START_S
        while Invitation.objects.get(pk=invited.pk).mailed_at is None and time.monotonic() < deadline:
            time.sleep(0.2)  # the worker's mail has a token of its own, which ours must not precede
        token = issue_token(invitation_id=invited.pk)
        client = make_client(name="Warehouse", permissions=["team.view"], expires_at=None, actor=SYSTEM).client
        moved = make_client(name="Till", permissions=["team.view"], expires_at=None, actor=SYSTEM).client
        ApiClient.objects.filter(pk=moved.pk).update(needs_secret=True)  # as a realm that moves leaves it
    with enter_platform():
        colleague = create_operator(email="nina@plexica.example", name="Nina Vogt", role=Operator.Role.SUPPORT)
        machine = make_client(name="Sign-up form", permissions=["super_admin"], expires_at=None, actor=SYSTEM).client
    return {
        "{invitation}": str(invited.pk),
        "{invitation_token}": str(token),
        "{client}": str(client.pk),
        "{machine}": str(machine.pk),
        "{colleague}": str(colleague.operator.pk),
    }


def show_events() -> dict[str, str]:
    """Leave events that a subscriber could not handle, and some that wait; return an id by placeholder."""
    from datetime import UTC, datetime

    from core.ids import uuid7
    from core.tenancy import enter_platform
    from events.messages import Message
    from events.outbox.models import FailedMessage, ParkedMessage
    from tenants.models import Tenant

    tenant = Tenant.objects.get(slug="acme-corp")
    error = "ConnectionRefusedError: [Errno 111] ledger.example:443 refused the connection"
    moment = datetime(2026, 11, 20, 8, 12, tzinfo=UTC)

    def message(position: int, name: str) -> Message:
        payload = {"person_id": str(uuid7())}
        return Message(position, moment, name, 1, tenant.pk, "person", uuid7(), str(uuid7()), payload)

    with enter_platform():
        for position, name in enumerate(("plexica.member.added", "plexica.member.removed"), 9001):
            kept = {"tenant_id": tenant.pk, "position": position, "message": message(position, name).as_text()}
            failed = FailedMessage.objects.create(
                subscriber="ledger.people", name=name, attempts=6, error=error, **kept
            )
        for position in range(9003, 9006):
            kept = {"tenant_id": tenant.pk, "position": position, "message": message(position, "x").as_text()}
            ParkedMessage.objects.create(
                subscriber="ledger.people", shard=0, reason="behind", next_try_at="2099-01-01T00:00:00Z", **kept
            )
        failed = FailedMessage.objects.latest("id")
    return {"{failed_event}": str(failed.pk)}


def show_webhooks() -> dict[str, str]:
    """Give acme-corp a webhook that fails, with a delivery, and one that is disabled; return ids by placeholder."""
    from django.utils import timezone

    from core.actors import SYSTEM
    from core.tenancy import enter, enter_platform
    from events.webhooks.models import Attempt, Delivery, Webhook
    from events.webhooks.queue.models import AttemptCount, QueuedWebhook
    from events.webhooks.services import disable_webhook, make_webhook, rotate_secret, write_body
    from tenants.models import Tenant

    now, shown_delivery = timezone.now(), ""
    tenant = Tenant.objects.get(slug="acme-corp")
    with enter(tenant.ref):
        events = ["plexica.member.*", "plexica.invitation.*", "plexica.role.made"]
        url = "https://warehouse.example/hooks/plexica"
        shown = make_webhook(url=url, events=events, description="Warehouse", actor=SYSTEM).webhook
        rotate_secret(webhook_id=shown.pk, actor=SYSTEM)
        body = write_body("plexica.member.added", occurred_at=now, data={"person_id": str(shown.pk)})
        later = now + timedelta(days=1)  # so that no sender takes it
        for position, status in ((1, "delivered"), (2, "waiting")):
            values = {"event": "plexica.member.added", "body": body, "status": status, "next_try_at": later, "tries": 1}
            delivery = Delivery.objects.create(webhook=shown, position=position, **values)
            Attempt.objects.create(
                delivery=delivery,
                started_at=now,
                duration_ms=142,
                address="93.184.215.14",
                request_headers={"webhook-id": str(delivery.pk), "Content-Type": "application/json"},
                status_code=200 if status == "delivered" else 500,
                response_headers={"Content-Type": "text/plain"},
                response_body="ok" if status == "delivered" else "<b>The stock is being counted</b>",
            )
            shown_delivery = str(delivery.pk)
        Webhook.objects.filter(pk=shown.pk).update(failing_since=now - timedelta(hours=3), last_success_at=now)
        stopped = make_webhook(url="https://old.example/", events=["plexica.*"], actor=SYSTEM).webhook
        disable_webhook(webhook_id=stopped.pk, actor=SYSTEM)
    with enter_platform():  # as senders would have left it
        AttemptCount.objects.bulk_create(
            AttemptCount(result=result, count=count) for result, count in (("delivered", 4210), ("http_5xx", 17))
        )
        row = {"due_at": later, "waiting": 1, "waiting_since": now - timedelta(hours=3), "is_failing": True}
        QueuedWebhook.objects.update_or_create(tenant_id=tenant.pk, webhook_id=shown.pk, defaults=row)
        row = {"due_at": None, "waiting": 4, "waiting_since": now - timedelta(days=1), "is_disabled": True}
        QueuedWebhook.objects.update_or_create(tenant_id=tenant.pk, webhook_id=stopped.pk, defaults=row)
    return {"{webhook}": str(shown.pk), "{stopped_webhook}": str(stopped.pk), "{delivery}": shown_delivery}


def show_roles() -> dict[str, str]:
    """Give acme-corp a role of its own and somebody who is disabled; return ids by placeholder."""
    from accounts.people.models import Person, Role
    from accounts.people.services import disable_person, make_role, set_roles
    from core.actors import SYSTEM
    from core.tenancy import enter
    from tenants.models import Tenant

    with enter(Tenant.objects.get(slug="acme-corp").ref):
        role = make_role(label="Front desk", permissions=["team.view", "team.invite"], actor=SYSTEM)
        priya, omar = (Person.objects.get(name=name) for name in ("Priya Anand", "Omar Haddad"))
        set_roles(person_id=priya.pk, role_ids=[role.pk, Role.objects.get(name="user").pk], actor=SYSTEM)
        disable_person(person_id=omar.pk, actor=SYSTEM)
        builtin = Role.objects.get(name="user").pk
        return {
            "{person}": str(priya.pk),
            "{disabled}": str(omar.pk),
            "{role}": str(role.pk),
            "{builtin}": str(builtin),
        }


def _get_stuck() -> str:
    from django.db import transaction
    from django.utils import timezone

    from core.actors import SYSTEM
    from tenants.models import Operation
    from tenants.services.provisioning import request_tenant

    now = timezone.now()
    with transaction.atomic():
        stuck = request_tenant(slug=STUCK, name="Stark Industries", admin_email="p@stark.example", actor=SYSTEM)
        found = f"schema {stuck.tenant.schema_name}"
        Operation.objects.filter(pk=stuck.pk).update(
            status=Operation.Status.STUCK,
            resumes_as=Operation.Status.RUNNING,
            error_code="leftovers_found",
            error=f"These exist already: {found}. Adopt them, have them removed, or give up.",
            started_at=now,
            finished_at=now,
        )
    return str(stuck.pk)


def _delete() -> dict[str, str]:
    from accounts import demo
    from core.actors import SYSTEM
    from tenants.models import Operation
    from tenants.services.deletion import request_deletion
    from tenants.services.provisioning import request_tenant
    from tests.support.platform import START_S

    def made(slug: str) -> Operation:
        asked = request_tenant(slug=slug, name=slug.title(), admin_email=f"a@{slug}.example", actor=SYSTEM)
        demo.wait_for(asked.pk, timeout_s=START_S)
        return request_deletion(
            tenant_id=asked.tenant_id, typed_slug=slug, actor=SYSTEM, reason="The contract has ended", now=slug == GONE
        )

    made(IN_GRACE)
    deletion = made(GONE)
    demo.wait_for(deletion.pk, timeout_s=START_S)
    return {"{gone}": str(deletion.tenant_id), "{deletion}": str(deletion.pk)}


def _export() -> str:
    from accounts import demo
    from archives.services.exports import request_export
    from core.actors import SYSTEM
    from tenants.selectors import get_tenant
    from tests.support.platform import START_S

    exported = get_tenant(EXPORTED)
    operation = request_export(tenant_id=exported.pk, actor=SYSTEM, reason="They ask for their data")
    demo.wait_for(operation.pk, timeout_s=START_S)
    return str(operation.pk)


def _receive() -> str:
    import io

    from archives import content
    from archives.services.imports import receive_archive
    from core.actors import SYSTEM
    from tenants.selectors import get_tenant

    target = io.BytesIO()
    content.write_archive(target, get_tenant(EXPORTED))
    return str(receive_archive(source=io.BytesIO(target.getvalue()), actor=SYSTEM).pk)


def _migrate() -> str:
    from django.utils import timezone

    from tenants.fleet import ledger
    from tenants.fleet.models import Run, TenantRecord
    from tenants.models import Tenant
    from tenants.schemas.template import migrations_hash

    run = ledger.open_run(started_by="root@worker-1", options={}, migrations_hash=migrations_hash())
    refs = [tenant.ref for tenant in Tenant.objects.exclude(slug=STUCK)[:3]]
    records = ledger.add_records(run, refs, ["people.0002_more"], canary={refs[0].id})
    for record in records:
        record.started_at, record.attempts = timezone.now() - timedelta(seconds=2), 1
        failed = record is records[-1]
        status = TenantRecord.Status.FAILED if failed else TenantRecord.Status.DONE
        ledger.end_record(record, status, error="LockNotAvailable: canceling statement" if failed else "")
    ledger.close_run(run, Run.Status.FAILED, reason="1 of 3 tenants failed.")
    return str(run.pk)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "plexica.settings")
    django.setup()
    print(
        json.dumps(
            show_operations() | show_roles() | show_ways_in() | show_webhooks() | show_events()
            if "--operations" in sys.argv
            else fill()
        )
    )
