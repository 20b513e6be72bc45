"""Something to try each operation of the API's own document on, and a body that it takes."""

import re
import secrets
from typing import Any

from accounts.clients.models import ApiClient
from accounts.clients.services import make_client
from accounts.people.invitations.services import invite
from accounts.people.models import Invitation, Person, Role
from accounts.people.services import make_role
from accounts.sessions.models import BrowserSession
from core.actors import SYSTEM
from core.tenancy import enter
from events.webhooks.models import Delivery, Webhook
from tests.attacks.site import Site
from tests.support import openapi
from tests.support.sessions import make_session

BODIES: dict[tuple[str, str], Any] = {
    ("patch", "/api/v1/people/{person_id}/"): {"is_active": False},
    ("patch", "/api/v1/settings/security/"): {"two_factor_required": True},
    ("post", "/api/v1/roles/"): {"label": "Porters", "permissions": ["team.view"]},
    ("patch", "/api/v1/roles/{role_id}/"): {"label": "Porters", "permissions": ["team.view"]},
    ("post", "/api/v1/invitations/"): {"email": "ada@new.example", "roles": ["user"]},
    ("post", "/api/v1/api-clients/"): {"name": "Warehouse", "permissions": []},
    ("post", "/api/v1/events/failed/{failed_id}/retry/"): {"reason": "Tried"},
    ("post", "/api/v1/events/failed/{failed_id}/dismiss/"): {"reason": "Tried"},
    ("post", "/api/v1/events/answers/"): {"answer": "retry", "ids": ["01a20220-87f3-7000-9040-2c13407d4618"]},
    ("post", "/api/v1/events/replays/"): {"subscriber": "x", "tenant": "acme-corp", "since": "2026-11-01T00:00:00Z"},
    ("post", "/api/v1/webhooks/"): {"url": "https://hooks.example/x", "events": ["plexica.*"]},
    ("patch", "/api/v1/webhooks/{webhook_id}/"): {"description": "Tried"},
    ("post", "/api/v1/operators/"): {"email": "nina@x.example", "name": "Nina", "role": "support"},
    ("patch", "/api/v1/operators/{operator_id}/"): {"role": "support"},
    ("post", "/api/v1/tenants/"): {"slug": "porters", "name": "Porters", "admin_email": "p@x.example"},
    ("patch", "/api/v1/tenants/{slug}/"): {"name": "Porters"},
    ("delete", "/api/v1/tenants/{slug}/"): {"reason": "Tried", "typed_slug": "acme-corp"},
    ("post", "/api/v1/tenants/{slug}/suspend/"): {"reason": "Tried"},
    ("post", "/api/v1/tenants/{slug}/reactivate/"): {"reason": "Tried"},
    ("post", "/api/v1/tenants/{slug}/undo-deletion/"): {"reason": "Tried"},
    ("post", "/api/v1/tenants/{slug}/delete-now/"): {"reason": "Tried", "typed_slug": "acme-corp"},
    ("post", "/api/v1/tenants/{slug}/exports/"): {"reason": "Tried"},
    ("post", "/api/v1/tenants/{slug}/clone/"): {"reason": "Tried", "slug": "porters"},
    ("post", "/api/v1/imports/{import_id}/start/"): {"slug": "porters"},
    ("post", "/api/v1/operations/{operation_id}/retry/"): {"reason": "Tried"},
    ("post", "/api/v1/operations/{operation_id}/give-up/"): {"reason": "Tried"},
}


def things_of(site: Site) -> dict[str, tuple[Any, Any]]:
    """Make something of a tenant's for every path of its API that names something: table and id."""
    mark = secrets.token_hex(4)
    with enter(site.ref):
        admin = Person.objects.get(pk=site.people["admin"].person_id)
        other = Person.objects.create(realm=admin.realm, subject=mark, email=f"{mark}@here.example", name="Nils Berg")
        role = make_role(label=f"Shift leads {mark}", permissions=["team.view"], actor=SYSTEM)
        session = make_session(admin)
        invitation = invite(email=f"{mark}@new.example", roles=["user"], actor=SYSTEM)
        client = make_client(name="Warehouse", permissions=[], expires_at=None, actor=SYSTEM).client
        ApiClient.objects.filter(pk=client.pk).update(needs_secret=True)
        hook, stopped = (
            Webhook.objects.create(url="https://hooks.example/b", events=["plexica.*"], secret="s", status=status)
            for status in Webhook.Status.values
        )
        sent = Delivery.objects.create(webhook=hook, event="plexica.member.added", body="{}", status="failed")
    return {
        "/api/v1/people/{person_id}/": (Person, other.pk),
        "/api/v1/people/{person_id}/sign-in/": (Person, site.people["user"].person_id),
        "/api/v1/people/{person_id}/unlock/": (Person, site.people["user"].person_id),
        "/api/v1/people/{person_id}/reset-second-factor/": (Person, other.pk),
        "/api/v1/roles/{role_id}/": (Role, role.pk),
        "/api/v1/invitations/{invitation_id}/": (Invitation, invitation.pk),
        "/api/v1/invitations/{invitation_id}/resend/": (Invitation, invitation.pk),
        "/api/v1/api-clients/{client_id}/": (ApiClient, client.pk),
        "/api/v1/api-clients/{client_id}/secret/": (ApiClient, client.pk),
        "/api/v1/sessions/{session_id}/": (BrowserSession, session.pk),
        "/api/v1/webhooks/{webhook_id}/": (Webhook, hook.pk),
        "/api/v1/webhooks/{webhook_id}/rotate-secret/": (Webhook, hook.pk),
        "/api/v1/webhooks/{webhook_id}/disable/": (Webhook, hook.pk),
        "/api/v1/webhooks/{webhook_id}/enable/": (Webhook, stopped.pk),
        "/api/v1/webhooks/{webhook_id}/test/": (Webhook, hook.pk),
        "/api/v1/webhooks/{webhook_id}/deliveries/": (Delivery, sent.pk),
        "/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/": (Delivery, sent.pk),
        "/api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver/": (Delivery, sent.pk),
    }


def operations(*, platform: bool) -> list[tuple[str, str, dict[str, Any]]]:
    """Return every operation of a document: method, path, and what is said of it."""
    paths = openapi.document(platform=platform)["paths"]
    return [(method, path, said) for path, methods in paths.items() for method, said in methods.items()]


def filled(path: str, value: object, **others: object) -> str:
    return re.sub(r"{(\w+)}", lambda found: str(others.get(found.group(1), value)), path)
