import django.db.models.functions.comparison
from django.db import migrations, models

# A tenant puts its own webhooks in line, and sees and changes nobody else's; the columns are in tenants.schemas.grants.
POLICIES = """
ALTER TABLE webhook_queue ENABLE ROW LEVEL SECURITY;
CREATE POLICY platform_only ON webhook_queue TO px_app USING (current_user = 'px_app');
CREATE POLICY tenant_own ON webhook_queue TO PUBLIC
    USING (current_user LIKE 'px\\_%\\_%' AND right(current_user, 12) = tenant_code(tenant_id));
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = [("outbox", "0001_initial")]  # tenant_code
    operations = [
        migrations.CreateModel(
            name="QueuedWebhook",
            fields=[
                ("tenant_id", models.UUIDField()),
                ("webhook_id", models.UUIDField()),
                ("due_at", models.DateTimeField(null=True)),
                ("lease", models.UUIDField(null=True)),
                ("leased_until", models.DateTimeField(null=True)),
                ("is_failing", models.BooleanField(db_default=False, default=False)),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id", "webhook_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
            options={
                "db_table": "webhook_queue",
                "indexes": [
                    models.Index(
                        django.db.models.functions.comparison.Coalesce("leased_until", "due_at"),
                        name="webhook_queue_ready",
                    )
                ],
            },
        ),
        migrations.RunSQL(POLICIES, migrations.RunSQL.noop),
    ]
