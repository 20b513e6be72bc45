from django.db import migrations

STAMP = """
CREATE FUNCTION tenants_stamp_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_xid := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END $$;
CREATE TRIGGER tenants_tenant_stamp BEFORE INSERT OR UPDATE ON tenants_tenant
    FOR EACH ROW EXECUTE FUNCTION tenants_stamp_change();
"""


def make_installation(apps, schema_editor):
    from tenants.services.provisioning import new_installation_code

    installation = apps.get_model("tenants", "Installation")
    installation.objects.using(schema_editor.connection.alias).get_or_create(
        pk=1, defaults={"code": new_installation_code()}
    )


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]
    operations = [
        migrations.RunPython(make_installation, migrations.RunPython.noop),
        migrations.RunSQL(
            STAMP, "DROP TRIGGER tenants_tenant_stamp ON tenants_tenant; DROP FUNCTION tenants_stamp_change()"
        ),
    ]
