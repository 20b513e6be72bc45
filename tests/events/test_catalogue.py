"""Every change that somebody outside may care about is an event, and every event is in the manual."""

import ast
import dataclasses
from pathlib import Path

from core.audit.words import LABELS
from deploy.events_reference import MARK, on_page_markdown, read_events
from plexica_sdk.events import Event, UnknownEvent

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("accounts", "archives", "core", "events", "storage", "superadmin", "tenants", "workspace")

OPERATORS = "operators are people of the platform: no tenant's subscriber has to do with them"
ISSUER = "only the built-in issuer tells us; at Keycloak nobody would hear of it"
INSIDE = "changes nothing that a subscriber could see"
ANSWER = "an operator's answer to an operation; what it leads to is published"
STOPPED = "the tenant is stopped, and its subscribers with it"
DELIVERY = "about the delivery of events itself: an event about it would go round in circles"
NOT_PUBLISHED = {
    "operator.added": OPERATORS,
    "operator.role_changed": OPERATORS,
    "operator.disabled": OPERATORS,
    "operator.enabled": OPERATORS,
    "operator.updated": OPERATORS,
    "operator.unlocked": OPERATORS,
    "accounts.operators.services: session.started": OPERATORS,
    "password.changed": ISSUER,
    "password.set": ISSUER,
    "sign_in.locked": ISSUER,
    "member.unlocked": ISSUER,
    "two_factor.on": ISSUER,
    "two_factor.off": ISSUER,
    "two_factor.codes_renewed": ISSUER,
    "two_factor.recovery_code_used": ISSUER,
    "two_factor.required": "who signs in hears of it; nobody else sees a difference",
    "two_factor.reset": "the sessions that it ends are published",
    "realm.keys_rotated": INSIDE,
    "tenant.realm_moved": INSIDE,
    "storage.key_rotated": INSIDE,
    "invitation.resent": "the invitation is as it was; only the link is another",
    "tenant.first_admin_link_shown": INSIDE,
    "tenant.export_requested": "tenant.exported follows when there is something to take",
    "tenant.export_failed": "nothing of it is left",
    "tenant.export_taken": "a copy for the operator; the tenant is as it was",
    "tenant.archive_received": "tenant.activated follows in the new tenant, if one is made of it",
    "tenant.archive_removed": INSIDE,
    "tenant.import_requested": "tenant.activated follows in the new tenant",
    "tenant.clone_requested": "tenant.activated follows in the new tenant",
    "tenant.deletion_hastened": STOPPED,
    "operation.retried": ANSWER,
    "operation.given_up": ANSWER,
    "operation.leftovers_adopted": ANSWER,
    "operation.leftovers_cleaned": ANSWER,
    "event.retried": DELIVERY,
    "event.dismissed": DELIVERY,
    "event.replayed": DELIVERY,
    "webhook.tested": DELIVERY,
    "webhook.redelivered": DELIVERY,
}


def services():
    """Yield module, recorded action and published classes of every function that writes an audit entry."""
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(function, ast.FunctionDef):
                    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
                    published = [node for node in calls if ast.unparse(node.func) == "publish"]
                    for call in calls:
                        if ast.unparse(call.func) == "audit.record":
                            action = next(word.value.value for word in call.keywords if word.arg == "action")
                            yield module, action, published


def test_who_writes_an_audit_entry_publishes_an_event_or_says_why_not():
    silent = {
        f"{module}: {action}"
        for module, action, published in services()
        if not published and action not in NOT_PUBLISHED
    }

    assert silent == {name for name in NOT_PUBLISHED if ":" in name}


def test_the_list_of_exceptions_has_nothing_that_is_published_or_gone():
    published = {action for _, action, published in services() if published}
    exceptions = {name for name in NOT_PUBLISHED if ":" not in name}

    assert exceptions <= set(LABELS)
    assert not exceptions & published
    assert {action for _, action, _ in services()} == published | exceptions


def test_every_event_is_in_the_manual_with_payload_version_and_meaning():
    written = {event.name: event for event in read_events()}
    kinds = [kind for kind in Event.__subclasses__() if kind is not UnknownEvent]

    assert set(written) == {kind.name for kind in kinds}
    for kind in kinds:
        event = written[kind.name]
        assert (event.class_name, event.version) == (kind.__name__, kind.version)
        assert set(event.payload) == {field.name for field in dataclasses.fields(kind)}
        assert event.meaning.endswith(".")


def test_the_manuals_page_shows_the_table():
    page = (ROOT / "docs/developers/events.md").read_text(encoding="utf-8")

    shown = on_page_markdown(page)

    assert MARK in page
    assert "| `plexica.member.added` | `MemberAdded` | 1 | `person_id`: UUID | A person belongs" in shown


def test_every_event_is_published_somewhere():
    made = {
        ast.unparse(node.args[0].func).removesuffix("Event")
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "publish" and isinstance(node.args[0], ast.Call)
    }

    assert {event.class_name for event in read_events()} <= made
