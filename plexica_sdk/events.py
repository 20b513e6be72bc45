"""Events that others may subscribe to: frozen, typed, named and versioned. They carry ids and no personal data."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events. A subclass names itself; its fields are the payload (JSON values and UUIDs)."""

    name: ClassVar[str]
    version: ClassVar[int] = 1

    def payload(self) -> dict[str, Any]:
        """Return the fields as JSON values, UUIDs as text."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: str(value) if isinstance(value, UUID) else value for name, value in values}

    @staticmethod
    def read(name: str, version: int, payload: Mapping[str, Any]) -> "Event":
        """Make the event that was published under a name; fields that a later version added are left out.

        An event that this code does not know comes as UnknownEvent: somebody subscribed to a pattern may still want it.
        """
        kind = _kind_of(name)
        if kind is None:
            return UnknownEvent(event_name=name, event_version=version, values=dict(payload))
        known = _payloads[name]
        return kind(**{key: UUID(value) if known[key] else value for key, value in payload.items() if key in known})


_kinds: dict[str, type[Event]] = {}
_payloads: dict[str, dict[str, bool]] = {}  # the fields of each kind, and whether each is a UUID


def _kind_of(name: str) -> type[Event] | None:
    if name not in _kinds:  # for the first time, or of a plugin that was loaded meanwhile
        for kind in Event.__subclasses__():
            if own := getattr(kind, "name", ""):
                _kinds[own] = kind
                _payloads[own] = {field.name: field.type in (UUID, "UUID") for field in fields(kind)}
    return _kinds.get(name)


@dataclass(frozen=True, kw_only=True)
class UnknownEvent(Event):
    """Stands for an event of another release. It is never published."""

    name = ""
    event_name: str
    event_version: int
    values: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class TenantRequested(Event):
    """Somebody asked for a tenant; it is being set up."""

    name = "plexica.tenant.requested"
    tenant_id: UUID


@dataclass(frozen=True, kw_only=True)
class TenantActivated(Event):
    """The tenant is ready: its people can sign in."""

    name = "plexica.tenant.activated"
    tenant_id: UUID


@dataclass(frozen=True, kw_only=True)
class TenantProvisioningFailed(Event):
    """The tenant could not be set up; everything that was made is undone."""

    name = "plexica.tenant.provisioning_failed"
    tenant_id: UUID


@dataclass(frozen=True, kw_only=True)
class TenantSuspended(Event):
    """The tenant is stopped everywhere; its data stays."""

    name = "plexica.tenant.suspended"
    tenant_id: UUID


@dataclass(frozen=True, kw_only=True)
class TenantReactivated(Event):
    """The tenant works again."""

    name = "plexica.tenant.reactivated"
    tenant_id: UUID


@dataclass(frozen=True, kw_only=True)
class TenantRenamed(Event):
    """The platform calls the tenant by another name; slug and address stay."""

    name = "plexica.tenant.renamed"
    tenant_id: UUID


@dataclass(frozen=True, kw_only=True)
class TenantDeletionRequested(Event):
    """The tenant is stopped everywhere and will be deleted; until it begins, that can be called off."""

    name = "plexica.tenant.deletion_requested"
    tenant_id: UUID
    due_at: str  # ISO 8601


@dataclass(frozen=True, kw_only=True)
class TenantDeletionUndone(Event):
    """The tenant's deletion was called off; it is as it was before."""

    name = "plexica.tenant.deletion_undone"
    tenant_id: UUID


@dataclass(frozen=True, kw_only=True)
class TenantDeleted(Event):
    """The tenant is gone with everything it owned. It is the last event of its id."""

    name = "plexica.tenant.deleted"
    tenant_id: UUID


@dataclass(frozen=True, kw_only=True)
class OperationStuck(Event):
    """An operation on the tenant stopped and waits for an operator's answer."""

    name = "plexica.operation.stuck"
    tenant_id: UUID
    operation_id: UUID


@dataclass(frozen=True, kw_only=True)
class MemberAdded(Event):
    """A person belongs to the tenant from now on."""

    name = "plexica.member.added"
    person_id: UUID


@dataclass(frozen=True, kw_only=True)
class MemberUpdated(Event):
    """A person's name, language or time zone changed."""

    name = "plexica.member.updated"
    person_id: UUID


@dataclass(frozen=True, kw_only=True)
class MemberRolesChanged(Event):
    """A person has other roles than before."""

    name = "plexica.member.roles_changed"
    person_id: UUID


@dataclass(frozen=True, kw_only=True)
class MemberDisabled(Event):
    """A person is kept out; they may come back."""

    name = "plexica.member.disabled"
    person_id: UUID


@dataclass(frozen=True, kw_only=True)
class MemberEnabled(Event):
    """A person who was disabled may sign in again."""

    name = "plexica.member.enabled"
    person_id: UUID


@dataclass(frozen=True, kw_only=True)
class MemberRemoved(Event):
    """A person left for good. Their id stays, nothing that says who they were."""

    name = "plexica.member.removed"
    person_id: UUID


@dataclass(frozen=True, kw_only=True)
class RoleMade(Event):
    """There is a role more."""

    name = "plexica.role.made"
    role_id: UUID


@dataclass(frozen=True, kw_only=True)
class RoleChanged(Event):
    """A role has another name or other permissions."""

    name = "plexica.role.changed"
    role_id: UUID


@dataclass(frozen=True, kw_only=True)
class RoleDeleted(Event):
    """A role is gone, and nobody has it any more."""

    name = "plexica.role.deleted"
    role_id: UUID


@dataclass(frozen=True, kw_only=True)
class InvitationSent(Event):
    """Somebody was invited; the mail follows."""

    name = "plexica.invitation.sent"
    invitation_id: UUID


@dataclass(frozen=True, kw_only=True)
class InvitationRevoked(Event):
    """An invitation was taken back."""

    name = "plexica.invitation.revoked"
    invitation_id: UUID


@dataclass(frozen=True, kw_only=True)
class InvitationAccepted(Event):
    """Somebody accepted an invitation and has its roles."""

    name = "plexica.invitation.accepted"
    invitation_id: UUID
    person_id: UUID


@dataclass(frozen=True, kw_only=True)
class ApiClientMade(Event):
    """A program may call the API from now on."""

    name = "plexica.api_client.made"
    api_client_id: UUID


@dataclass(frozen=True, kw_only=True)
class ApiClientSecretRenewed(Event):
    """A program has another secret; the one of before buys it no tokens any more."""

    name = "plexica.api_client.secret_renewed"
    api_client_id: UUID


@dataclass(frozen=True, kw_only=True)
class ApiClientRevoked(Event):
    """A program may not call the API any more."""

    name = "plexica.api_client.revoked"
    api_client_id: UUID


@dataclass(frozen=True, kw_only=True)
class SessionStarted(Event):
    """A person signed in."""

    name = "plexica.session.started"
    person_id: UUID


@dataclass(frozen=True, kw_only=True)
class SessionEnded(Event):
    """A session of a person was ended: by them, from another browser, by an admin, or by the issuer."""

    name = "plexica.session.ended"
    person_id: UUID


@dataclass(frozen=True, kw_only=True)
class TenantExported(Event):
    """There is an archive of everything that the tenant has."""

    name = "plexica.tenant.exported"
    tenant_id: UUID
    operation_id: UUID


@dataclass(frozen=True, kw_only=True)
class WebhookMade(Event):
    """Events of the tenant are sent to an address from now on."""

    name = "plexica.webhook.made"
    webhook_id: UUID


@dataclass(frozen=True, kw_only=True)
class WebhookChanged(Event):
    """A webhook has another address, description or choice of events."""

    name = "plexica.webhook.changed"
    webhook_id: UUID


@dataclass(frozen=True, kw_only=True)
class WebhookDeleted(Event):
    """A webhook is gone; nothing is sent to its address any more."""

    name = "plexica.webhook.deleted"
    webhook_id: UUID


@dataclass(frozen=True, kw_only=True)
class WebhookSecretRotated(Event):
    """A webhook signs with a new secret; for a day the old one signs as well."""

    name = "plexica.webhook.secret_rotated"
    webhook_id: UUID


@dataclass(frozen=True, kw_only=True)
class WebhookDisabled(Event):
    """Nothing is sent to a webhook's address any more until somebody enables it.

    `reason` is `person` if somebody disabled it, `failing` if it failed for days, `gone` if its receiver answered 410.
    """

    name = "plexica.webhook.disabled"
    webhook_id: UUID
    reason: str


@dataclass(frozen=True, kw_only=True)
class WebhookEnabled(Event):
    """A webhook that was disabled works again."""

    name = "plexica.webhook.enabled"
    webhook_id: UUID
