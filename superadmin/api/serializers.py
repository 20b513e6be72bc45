from typing import Any

from rest_framework import serializers

from accounts.operators.models import Operator
from accounts.principals import STATUSES
from archives.models import Archive
from core.audit.models import AuditEntry
from core.audit.words import label_of
from tenants.directory import address_of
from tenants.kinds import label_of_step
from tenants.models import Operation, OperationStep, Tenant
from tenants.services.operations import ADOPT, CLEAN


class TenantSerializer(serializers.ModelSerializer[Tenant]):
    """A tenant."""

    address = serializers.SerializerMethodField(help_text="Where its people sign in")

    class Meta:
        model = Tenant
        fields = [
            "id",
            "slug",
            "name",
            "status",
            "version",
            "admin_name",
            "admin_email",
            "address",
            "created_at",
            "activated_at",
            "suspended_at",
            "deleted_at",
        ]
        read_only_fields = fields

    def get_address(self, tenant: Tenant) -> str:
        return address_of(tenant.slug)


class TenantRequestSerializer(serializers.Serializer[Any]):
    """What a new tenant needs."""

    # the service checks values, so that one answer names all that are wrong
    slug = serializers.CharField(allow_blank=True, help_text="3-48 of a-z, 0-9 and -; can never change")
    name = serializers.CharField(allow_blank=True)
    admin_email = serializers.CharField(allow_blank=True)
    admin_name = serializers.CharField(max_length=120, required=False, default="", allow_blank=True)
    language = serializers.CharField(max_length=8, required=False, default="", allow_blank=True)
    time_zone = serializers.CharField(max_length=64, required=False, default="UTC")


class ReasonSerializer(serializers.Serializer[Any]):
    """Why something is done; kept in the audit log."""

    reason = serializers.CharField(max_length=500)


class OptionalReasonSerializer(serializers.Serializer[Any]):
    """Why something is done, if there is something to say."""

    reason = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


class TypedSlugSerializer(ReasonSerializer):
    """The slug once more, so that nobody deletes another tenant than they mean."""

    typed_slug = serializers.CharField(help_text="The tenant's slug, to confirm")


class DeletionSerializer(TypedSlugSerializer):
    """A tenant's deletion."""

    now = serializers.BooleanField(required=False, default=False, help_text="Without the grace period")
    export = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Begin with an export; nothing is removed before it was read back whole",
    )


class ExportRequestSerializer(ReasonSerializer):
    """An export of a tenant."""

    masked = serializers.BooleanField(
        required=False, default=False, help_text="Replace what says anything about people, and leave files out"
    )


class CloneRequestSerializer(ExportRequestSerializer):
    """A copy of a tenant."""

    # the service checks values, as it does for a new tenant
    slug = serializers.CharField(allow_blank=True, help_text="The copy's slug")
    name = serializers.CharField(required=False, default="", allow_blank=True, help_text="The copy's name")
    admin_email = serializers.CharField(
        required=False, default="", allow_blank=True, help_text="Of a masked copy: who gets the link to sign in"
    )


class ExportSerializer(serializers.ModelSerializer[Archive]):
    """An archive with everything of a tenant."""

    tenant = serializers.CharField(source="tenant.slug")
    actor_name = serializers.CharField(source="operation.actor_name", help_text="Who asked for it")

    class Meta:
        model = Archive
        fields = [
            "id",
            "tenant",
            "tenant_id",
            "operation_id",
            "actor_name",
            "file_name",
            "is_masked",
            "size_bytes",
            "sha256",
            "row_count",
            "file_count",
            "finished_at",
            "kept_until",
        ]
        read_only_fields = fields


class TenantChangeSerializer(serializers.Serializer[Any]):
    """What may change of a tenant: slug, address and the first admin stay as they were asked for."""

    # the service checks the value, as it does for a new tenant
    name = serializers.CharField(allow_blank=True)


class RetrySerializer(OptionalReasonSerializer):
    """How a stuck operation goes on."""

    leftovers = serializers.ChoiceField(
        ["", ADOPT, CLEAN],
        required=False,
        default="",
        help_text="Of one that found leftovers: make them the tenant's own, or delete them",
    )


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    """Something that was done."""

    label = serializers.SerializerMethodField()  # type: ignore[assignment]
    facts = serializers.DictField(read_only=True)

    class Meta:
        model = AuditEntry
        fields = [
            "id",
            "occurred_at",
            "action",
            "label",
            "actor_kind",
            "actor_id",
            "actor_name",
            "reason",
            "facts",
            "request_id",
        ]
        read_only_fields = fields

    def get_label(self, entry: AuditEntry) -> str:
        return label_of(entry.action)


class StepSerializer(serializers.ModelSerializer[OperationStep]):
    """A step of an operation."""

    label = serializers.SerializerMethodField()  # type: ignore[assignment]

    class Meta:
        model = OperationStep
        fields = [
            "position",
            "label",
            "status",
            "attempt",
            "detail",
            "error",
            "next_try_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields

    def get_label(self, step: OperationStep) -> str:
        return label_of_step(step)


class OperationSerializer(serializers.ModelSerializer[Operation]):
    """A piece of work on a tenant, with its steps."""

    tenant = serializers.CharField(source="tenant.slug")
    facts = serializers.DictField(
        read_only=True, help_text="What its steps found out: what a deletion has left, for instance"
    )
    steps = StepSerializer(many=True)

    class Meta:
        model = Operation
        fields = [
            "id",
            "tenant",
            "tenant_id",
            "kind",
            "status",
            "version",
            "actor_name",
            "due_at",
            "error_code",
            "error",
            "created_at",
            "started_at",
            "finished_at",
            "facts",
            "steps",
        ]
        read_only_fields = fields


class MeSerializer(serializers.ModelSerializer[Operator]):
    """The operator or API client who asks."""

    email = serializers.CharField(help_text="Empty for an API client")

    class Meta:
        model = Operator
        fields = ["id", "email", "name", "language", "time_zone"]
        read_only_fields = fields


class OperatorSerializer(serializers.ModelSerializer[Operator]):
    """Somebody who runs the platform."""

    status = serializers.ChoiceField(choices=list(STATUSES), read_only=True)

    class Meta:
        model = Operator
        fields = ["id", "email", "name", "role", "status", "created_at", "last_sign_in_at"]
        read_only_fields = fields


class NewOperatorSerializer(serializers.Serializer[Any]):
    """What a new operator needs."""

    # the service checks values, so that one answer names all that are wrong
    email = serializers.CharField(max_length=254)
    name = serializers.CharField(max_length=120)
    role = serializers.ChoiceField(choices=Operator.Role.choices)


class OperatorChangeSerializer(serializers.Serializer[Any]):
    """What can be changed of an operator; what is left out stays."""

    role = serializers.ChoiceField(choices=Operator.Role.choices, required=False)
    is_active = serializers.BooleanField(required=False)
