from django.db import migrations, models


class Migration(migrations.Migration):
    """Which identity server has a tenant's realm, and whether the realm lets people in."""

    dependencies = [("tenants", "0005_export_import_clone")]

    operations = [
        migrations.AddField(
            "tenant", "identity_server", models.CharField(blank=True, default="", db_default="", max_length=32)
        ),
        migrations.AddField("tenant", "identity_open", models.BooleanField(default=True, db_default=True)),
    ]
