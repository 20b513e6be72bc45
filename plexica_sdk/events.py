"""Events that others may subscribe to: frozen, typed, named and versioned. They carry ids and no personal data."""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Event:
    """Base of all events. A subclass names itself; its fields are the payload (JSON values and UUIDs)."""

    name: ClassVar[str]
    version: ClassVar[int] = 1

    def payload(self) -> dict[str, Any]:
        """Return the fields as JSON values, UUIDs as text."""
        return {key: str(value) if isinstance(value, UUID) else value for key, value in asdict(self).items()}


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
class SessionStarted(Event):
    """A person signed in."""

    name = "plexica.session.started"
    person_id: UUID


@dataclass(frozen=True, kw_only=True)
class TenantExported(Event):
    """There is an archive of everything that the tenant has."""

    name = "plexica.tenant.exported"
    tenant_id: UUID
    operation_id: UUID
