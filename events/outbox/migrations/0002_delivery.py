import django.utils.timezone
from django.db import migrations, models

import core.ids

# One notice for each transaction that published something: equal ones of a transaction are one.
NOTIFY = """
CREATE FUNCTION notify_relay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('plexica_outbox', '');
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION notify_relay() FROM PUBLIC;
CREATE TRIGGER notify_relay AFTER INSERT ON events_outbox FOR EACH STATEMENT EXECUTE FUNCTION notify_relay();
"""


class Migration(migrations.Migration):
    dependencies = [("outbox", "0001_initial")]
    operations = [
        migrations.RunSQL(NOTIFY, "DROP TRIGGER notify_relay ON events_outbox; DROP FUNCTION notify_relay()"),
        migrations.CreateModel(
            name="ParkedMessage",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("subscriber", models.CharField(max_length=120)),
                ("shard", models.PositiveSmallIntegerField()),
                ("tenant_id", models.UUIDField()),
                ("position", models.BigIntegerField()),
                ("message", models.TextField()),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("failed", "Failed"),
                            ("behind", "Behind"),
                            ("stopped", "Stopped"),
                            ("again", "Again"),
                        ],
                        max_length=16,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("error", models.TextField(blank=True)),
                ("next_try_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("parked_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "db_table": "events_parked",
                "ordering": ["position"],
                "indexes": [models.Index(fields=["subscriber", "tenant_id", "position"], name="events_parked_queue")],
                "constraints": [models.UniqueConstraint(fields=("subscriber", "position"), name="events_parked_once")],
            },
        ),
        migrations.CreateModel(
            name="FailedMessage",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("subscriber", models.CharField(max_length=120)),
                ("tenant_id", models.UUIDField()),
                ("position", models.BigIntegerField()),
                ("name", models.CharField(max_length=120)),
                ("message", models.TextField()),
                ("attempts", models.PositiveSmallIntegerField()),
                ("error", models.TextField()),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("retried", "Retried"), ("dismissed", "Dismissed")],
                        default="open",
                        max_length=16,
                    ),
                ),
                ("failed_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("answered_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "events_failed",
                "ordering": ["-failed_at"],
                "indexes": [models.Index(fields=["status", "-failed_at"], name="events_failed_newest")],
            },
        ),
        migrations.CreateModel(
            name="Passed",
            fields=[
                ("subscriber", models.CharField(max_length=120)),
                ("shard", models.PositiveSmallIntegerField()),
                ("passed_at", models.DateTimeField()),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "subscriber", "shard", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
            options={"db_table": "events_passed"},
        ),
    ]
