"""Tenants and what is done to them.

tenant:     provisioning ─> active <─> suspended
                 │             └──────────┴─ ─ ─> deleting ─> deleted
                 └─> failed                         └─> active or suspended, until the deletion begins
operation:  pending ─> running ─────────> succeeded
               │          ├─> undoing ──> failed
               │          └─────┴─> stuck ─> running or undoing again, when an operator says so
               └─> cancelled (a deletion in its grace period)
step:       waiting ─> running ─> done ─> undoing ─> undone
                          ├─> retrying ─> running
                          └─> failed ─> running or undoing
"""

from typing import Any
from uuid import UUID

from django.db import models
from django.db.models import Case, F, Q, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin

from core.ids import uuid7
from core.tenancy import TenantRef, names
from tenants.slugs import PATTERN, validate_slug


class Installation(models.Model):
    """The one row that tells this installation's roles and buckets from another's on the same servers."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    code = models.CharField(max_length=6)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="tenants_installation_one_row"),
            models.CheckConstraint(condition=Q(code__regex="^[a-z2-7]{6}$"), name="tenants_installation_code"),
        ]

    def __str__(self) -> str:
        return self.code


class Tenant(TenantMixin):
    """A customer organisation. The row stays for good: a deleted tenant's id is a tombstone."""

    class Status(models.TextChoices):
        PROVISIONING = "provisioning", _("Being set up")
        ACTIVE = "active", _("Active")
        SUSPENDED = "suspended", _("Suspended")
        FAILED = "failed", _("Failed")
        DELETING = "deleting", _("Being deleted")
        DELETED = "deleted", _("Deleted")

    IN_USE = (Status.ACTIVE, Status.SUSPENDED)  # set up, and to stay
    GONE = (Status.FAILED, Status.DELETED)  # their slug is free again
    auto_create_schema = False
    auto_drop_schema = False

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(max_length=48, validators=[validate_slug])
    name = models.CharField(max_length=120)
    status = models.CharField(max_length=16, choices=Status, default=Status.PROVISIONING)
    version = models.PositiveIntegerField(default=1)
    admin_name = models.CharField(max_length=120)
    admin_email = models.EmailField()
    schema_name = models.CharField(max_length=63, unique=True)
    role_name = models.CharField(max_length=63, unique=True)
    bucket_name = models.CharField(max_length=63, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    activated_at = models.DateTimeField(null=True)
    suspended_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    # the server that has the tenant's realm, if not its own schema, and whether that lets people in: accounts.doors
    identity_server = models.CharField(max_length=32, blank=True, default="", db_default="")
    identity_open = models.BooleanField(default=True, db_default=True)
    changed_xid = models.BigIntegerField(default=0, editable=False)  # a trigger writes it: tenants.directory

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["slug"], condition=~Q(status__in=["failed", "deleted"]), name="tenants_tenant_slug_live"
            ),
            models.CheckConstraint(condition=Q(slug__regex=PATTERN), name="tenants_tenant_slug_form"),
        ]
        indexes = [
            models.Index(fields=["-created_at"], name="tenants_tenant_newest"),
            models.Index(fields=["changed_xid"], name="tenants_tenant_changed"),
        ]

    def __str__(self) -> str:
        return self.slug

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row alone: schemas are made by `tenants.steps.SchemaStep`."""
        models.Model.save(self, *args, **kwargs)

    @property
    def is_in_use(self) -> bool:
        """Whether the tenant is set up and no deletion was asked for."""
        return self.status in self.IN_USE

    @property
    def ref(self) -> TenantRef:
        """What a context needs to know of the tenant."""
        return TenantRef(
            id=self.id,
            slug=self.slug,
            name=self.name,
            schema=self.schema_name,
            role=self.role_name,
            state=self.status,
            bucket=self.bucket_name,
        )

    @classmethod
    def new(cls, *, installation: str, **fields: Any) -> "Tenant":
        """Return an unsaved tenant whose schema, role and bucket are named after its fresh id."""
        tenant_id: UUID = uuid7()
        return cls(
            id=tenant_id,
            schema_name=names.schema_name(tenant_id),
            role_name=names.role_name(tenant_id, installation),
            bucket_name=names.bucket_name(tenant_id, installation),
            **fields,
        )


class Domain(DomainMixin):
    """An address of a tenant: a label below the platform's host (`acme-corp`), or a whole host name with dots.

    The label is not joined with the platform's host here, so that the platform can move to another address.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    domain = models.CharField(max_length=253, unique=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="domains")
    is_primary = models.BooleanField(default=True)

    def __str__(self) -> str:
        return str(self.domain)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row alone."""
        models.Model.save(self, *args, **kwargs)


class Operation(models.Model):
    """A recorded piece of work on a tenant. The row is the truth; a message in a queue is only a hint."""

    class Kind(models.TextChoices):
        PROVISION = "provision", _("Set up")
        DELETE = "delete", _("Deletion")
        EXPORT = "export", _("Export")
        IMPORT = "import", _("Import")
        CLONE = "clone", _("Copy")

    class Status(models.TextChoices):
        PENDING = "pending", _("Waiting")
        RUNNING = "running", _("Running")
        SUCCEEDED = "succeeded", _("Done")
        UNDOING = "undoing", _("Being undone")
        FAILED = "failed", _("Failed and undone")
        STUCK = "stuck", _("Stuck")
        CANCELLED = "cancelled", _("Called off")

    OPEN = (Status.PENDING, Status.RUNNING, Status.UNDOING)
    ACTIVE = (*OPEN, Status.STUCK)  # excludes other operations on the tenant

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="operations")
    kind = models.CharField(max_length=16, choices=Kind)
    status = models.CharField(max_length=16, choices=Status, default=Status.PENDING)
    resumes_as = models.CharField(max_length=16, blank=True)  # a stuck one: the status that a retry gives it
    version = models.PositiveIntegerField(default=1)  # counts what operators see change: stuck, retried, called off
    inputs = models.JSONField(default=dict)
    facts = models.JSONField(default=dict)  # what its steps found out, for pages and programs
    actor_kind = models.CharField(max_length=16)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=200)
    error_code = models.CharField(max_length=80, blank=True)
    error = models.TextField(blank=True)
    due_at = models.DateTimeField(default=timezone.now)
    lease_owner = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    checked_at = models.DateTimeField(null=True)  # leftovers of an earlier life were looked for
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    link_shown_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"],
                condition=Q(status__in=["pending", "running", "undoing", "stuck"]),
                name="tenants_operation_one_active",
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=Q(status__in=["pending", "running", "undoing"]),
                name="tenants_operation_due",
            ),
            models.Index(  # the order of `selectors.list_operations`
                Case(When(status__in=["pending", "running", "undoing", "stuck"], then=0), default=1),
                F("created_at").desc(),
                F("id").desc(),
                name="tenants_operation_list",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.tenant}"

    @property
    def is_open(self) -> bool:
        """Whether a worker still has something to do."""
        return self.status in self.OPEN


class OperationStep(models.Model):
    """One step of an operation, written before and after it runs."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        RETRYING = "retrying", _("Trying again")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")
        UNDOING = "undoing", _("Being undone")
        UNDONE = "undone", _("Undone")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    key = models.CharField(max_length=40)  # of a step class: see tenants.steps
    status = models.CharField(max_length=16, choices=Status, default=Status.WAITING)
    attempt = models.PositiveSmallIntegerField(default=0)
    detail = models.CharField(max_length=400, blank=True)
    error = models.TextField(blank=True)
    next_try_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["operation", "position"], name="tenants_operationstep_position"),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.key}"


class SchemaTemplate(models.Model):
    """The DDL and rows that a new tenant's schema is made from, for one state of the tenants' migrations."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    migrations_hash = models.CharField(max_length=64, unique=True)
    ddl = models.TextField()
    rows = models.TextField(blank=True)
    table_count = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.migrations_hash[:12]
