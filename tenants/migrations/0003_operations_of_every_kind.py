from django.db import migrations, models

KEYS = {
    "tenants.steps.SchemaStep": "schema",
    "tenants.preferences.steps.PreferencesStep": "preferences",
    "accounts.steps.RealmStep": "realm",
    "storage.steps.BucketStep": "bucket",
    "accounts.steps.FirstAdminStep": "first_admin",
}
# An address that comes, goes or moves is a change of its tenant, so that directories hear of it.
STAMP_DOMAINS = """
CREATE FUNCTION tenants_stamp_domain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        UPDATE public.tenants_tenant SET changed_xid = 0 WHERE id = OLD.tenant_id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        UPDATE public.tenants_tenant SET changed_xid = 0 WHERE id = NEW.tenant_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tenants_domain_stamp AFTER INSERT OR UPDATE OR DELETE ON tenants_domain
    FOR EACH ROW EXECUTE FUNCTION tenants_stamp_domain();
"""


def name_steps_by_key(apps, schema_editor):
    steps = apps.get_model("tenants", "OperationStep").objects.using(schema_editor.connection.alias)
    for path, key in KEYS.items():
        steps.filter(key=path).update(key=key)


def name_steps_by_path(apps, schema_editor):
    steps = apps.get_model("tenants", "OperationStep").objects.using(schema_editor.connection.alias)
    for path, key in KEYS.items():
        steps.filter(key=key).update(key=path)


class Migration(migrations.Migration):
    accepted_downtime = "there was no release before it"
    dependencies = [("tenants", "0002_installation_and_change_stamp")]
    operations = [
        migrations.AddField("tenant", "deleted_at", models.DateTimeField(null=True)),
        migrations.AddField("operation", "facts", models.JSONField(default=dict)),
        migrations.AddField(
            "operation", "resumes_as", models.CharField(blank=True, max_length=16, default=""), preserve_default=False
        ),
        migrations.AddField("operation", "version", models.PositiveIntegerField(default=1)),
        migrations.RenameField("operationstep", "path", "key"),
        migrations.RunPython(name_steps_by_key, name_steps_by_path),
        migrations.AlterField("operationstep", "key", models.CharField(max_length=40)),
        migrations.AlterField(
            "operation",
            "kind",
            models.CharField(choices=[("provision", "Set up"), ("delete", "Deletion")], max_length=16),
        ),
        migrations.AlterField(
            "operation",
            "status",
            models.CharField(
                choices=[
                    ("pending", "Waiting"),
                    ("running", "Running"),
                    ("succeeded", "Done"),
                    ("undoing", "Being undone"),
                    ("failed", "Failed and undone"),
                    ("stuck", "Stuck"),
                    ("cancelled", "Called off"),
                ],
                default="pending",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            "operationstep",
            "status",
            models.CharField(
                choices=[
                    ("waiting", "Waiting"),
                    ("running", "Running"),
                    ("retrying", "Trying again"),
                    ("done", "Done"),
                    ("failed", "Failed"),
                    ("undoing", "Being undone"),
                    ("undone", "Undone"),
                ],
                default="waiting",
                max_length=16,
            ),
        ),
        migrations.RunSQL(
            STAMP_DOMAINS,
            "DROP TRIGGER tenants_domain_stamp ON tenants_domain; DROP FUNCTION tenants_stamp_domain()",
        ),
    ]
