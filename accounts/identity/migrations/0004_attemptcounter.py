import django.utils.timezone
from django.db import migrations, models

import core.ids


class Migration(migrations.Migration):
    """What is tried at an account is counted, and too much of it locks it."""

    dependencies = [("identity", "0003_session_epoch")]

    operations = [
        migrations.CreateModel(
            name="AttemptCounter",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("password", "Password"), ("code", "Code"), ("proof", "Proof")], max_length=16
                    ),
                ),
                ("name", models.CharField(max_length=32)),
                ("device", models.CharField(blank=True, max_length=32)),
                ("subject", models.CharField(blank=True, db_index=True, max_length=255)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("counted_from", models.DateTimeField(default=django.utils.timezone.now)),
                ("last_at", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ("locked_until", models.DateTimeField(null=True)),
                ("locks", models.PositiveSmallIntegerField(default=0)),
                ("told_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "name", "device"), name="identity_attemptcounter_once")
                ],
            },
        ),
    ]
