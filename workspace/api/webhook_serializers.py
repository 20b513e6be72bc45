from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from events.webhooks.calling import FAULTS
from events.webhooks.models import STATES, Attempt, Delivery, Webhook
from events.webhooks.services import MAX_DESCRIPTION


class EventNamesField(serializers.ListField):
    """Names of events, or patterns."""

    def __init__(self, **kwargs: Any) -> None:
        words = "Names of events, patterns of a group such as `plexica.member.*`, or `plexica.*`"
        child = serializers.CharField(max_length=120)
        super().__init__(child=child, min_length=1, max_length=100, help_text=words, **kwargs)


class OfferedEventSerializer(serializers.Serializer[Any]):
    """An event that a webhook can ask for."""

    name = serializers.CharField()
    label = serializers.CharField(help_text="In the caller’s language")  # type: ignore[assignment]
    pattern = serializers.CharField(help_text="Takes all events of its group")
    group = serializers.CharField()


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    """An address to which events are sent."""

    state = serializers.ChoiceField(choices=list(STATES), read_only=True)
    created_by = serializers.CharField(source="created_by_name", read_only=True)
    disabled_because = serializers.ChoiceField(choices=["", *Webhook.Reason.values], read_only=True)
    previous_secret_valid_until = serializers.DateTimeField(
        source="previous_valid_until", read_only=True, allow_null=True
    )

    class Meta:
        model = Webhook
        fields = [
            "id",
            "url",
            "description",
            "events",
            "state",
            "disabled_because",
            "disabled_at",
            "failing_since",
            "last_success_at",
            "previous_secret_valid_until",
            "version",
            "created_at",
            "created_by",
        ]
        read_only_fields = fields


class WebhookWithSecretSerializer(WebhookSerializer):
    """A webhook with its new secret, which nobody can read again."""

    secret = serializers.CharField(read_only=True)

    class Meta(WebhookSerializer.Meta):
        fields = [*WebhookSerializer.Meta.fields, "secret"]
        read_only_fields = fields


class NewWebhookSerializer(serializers.Serializer[Any]):
    """What a new webhook needs."""

    url = serializers.CharField(max_length=1000, help_text="https, on the public Internet")
    events = EventNamesField()
    description = serializers.CharField(max_length=MAX_DESCRIPTION, required=False, allow_blank=True, default="")


class WebhookChangeSerializer(serializers.Serializer[Any]):
    """What changes; what is left out stays."""

    url = serializers.CharField(max_length=1000, required=False)
    events = EventNamesField(required=False)
    description = serializers.CharField(max_length=MAX_DESCRIPTION, required=False, allow_blank=True)


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One event for one webhook."""

    is_test = serializers.BooleanField(read_only=True)
    next_try_at = serializers.SerializerMethodField(help_text="null unless it is waiting")
    attempts = serializers.SerializerMethodField(help_text="How often the receiver was called")

    class Meta:
        model = Delivery
        fields = ["id", "event", "is_test", "status", "attempts", "created_at", "next_try_at", "delivered_at"]
        read_only_fields = fields

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_next_try_at(self, delivery: Delivery) -> object:
        """Return when it is tried, or tried again."""
        waits = delivery.status == Delivery.Status.WAITING
        return serializers.DateTimeField().to_representation(delivery.next_try_at) if waits else None

    def get_attempts(self, delivery: Delivery) -> int:
        """Return the number; lists bring the attempts along."""
        return len(delivery.attempts.all())


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    """One call of the receiver. `response_body` is what came first of it, at most 4 KB."""

    error = serializers.ChoiceField(choices=["", *FAULTS], read_only=True)
    request_headers = serializers.DictField(child=serializers.CharField(), read_only=True)
    response_headers = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Attempt
        fields = [
            "id",
            "started_at",
            "duration_ms",
            "address",
            "status_code",
            "error",
            "request_headers",
            "response_headers",
            "response_body",
        ]
        read_only_fields = fields


class DeliveryDetailSerializer(DeliverySerializer):
    """A delivery with everything that is known of it."""

    request_body = serializers.CharField(source="body", read_only=True)
    log = AttemptSerializer(source="attempts", many=True, read_only=True)

    class Meta(DeliverySerializer.Meta):
        fields = [*DeliverySerializer.Meta.fields, "request_body", "log"]
        read_only_fields = fields
