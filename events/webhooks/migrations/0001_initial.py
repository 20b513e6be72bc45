import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import core.crypto
import core.ids


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Webhook",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("url", models.CharField(max_length=1000)),
                ("description", models.CharField(blank=True, max_length=200)),
                (
                    "events",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=120), size=None),
                ),
                ("secret", core.crypto.EncryptedTextField(blank=True)),
                ("previous_secret", core.crypto.EncryptedTextField(blank=True)),
                ("previous_valid_until", models.DateTimeField(null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[("active", "Active"), ("disabled", "Disabled")], default="active", max_length=16
                    ),
                ),
                (
                    "disabled_because",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("person", "Somebody disabled it."),
                            ("failing", "Nothing could be delivered for days."),
                            ("gone", "The receiver answered 410: it wants no more."),
                            (
                                "copied",
                                "It was copied along with the workspace, and has no secret of its own yet.",
                            ),
                        ],
                        max_length=16,
                    ),
                ),
                ("disabled_at", models.DateTimeField(null=True)),
                ("failing_since", models.DateTimeField(null=True)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("paused_until", models.DateTimeField(null=True)),
                ("last_success_at", models.DateTimeField(null=True)),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_by_name", models.CharField(max_length=120)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={"ordering": ["-created_at", "-id"]},
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("position", models.BigIntegerField(null=True)),
                ("event", models.CharField(max_length=120)),
                ("body", models.TextField()),
                (
                    "status",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("delivered", "Delivered"), ("failed", "Failed")],
                        default="waiting",
                        max_length=16,
                    ),
                ),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("next_try_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("delivered_at", models.DateTimeField(null=True)),
                (
                    "webhook",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="deliveries", to="webhooks.webhook"
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at", "-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "waiting")),
                        fields=["webhook", "next_try_at", "id"],
                        name="webhooks_delivery_waiting",
                    ),
                    models.Index(fields=["webhook", "-created_at", "-id"], name="webhooks_delivery_newest"),
                    models.Index(fields=["created_at"], name="webhooks_delivery_age"),
                ],
                "constraints": [models.UniqueConstraint(fields=("webhook", "position"), name="webhooks_delivery_once")],
            },
        ),
        migrations.CreateModel(
            name="Attempt",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField()),
                ("duration_ms", models.PositiveIntegerField()),
                ("address", models.CharField(blank=True, max_length=45)),
                ("request_headers", models.JSONField()),
                ("status_code", models.PositiveSmallIntegerField(null=True)),
                ("response_headers", models.JSONField(default=dict)),
                ("response_body", models.TextField(blank=True)),
                ("error", models.CharField(blank=True, max_length=32)),
                (
                    "delivery",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="attempts", to="webhooks.delivery"
                    ),
                ),
            ],
            options={"ordering": ["started_at", "id"]},
        ),
    ]
