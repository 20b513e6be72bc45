from django.db import migrations, models
from django.db.models import deletion

import core.crypto


class Migration(migrations.Migration):
    """Realms at Keycloak, and password links for accounts at any issuer.

    `account_id` of a password link only loses its NOT NULL: the released code still writes it. It goes with a later release.
    """

    dependencies = [("identity", "0001_initial")]

    operations = [
        migrations.AlterField(
            "realm",
            "provider",
            models.CharField(choices=[("builtin", "Builtin"), ("keycloak", "Keycloak")], max_length=16),
        ),
        migrations.AddField("realm", "server", models.CharField(blank=True, default="", db_default="", max_length=32)),
        migrations.AddField(
            "realm", "admin_secret", core.crypto.EncryptedTextField(blank=True, default="", db_default="")
        ),
        migrations.AddField(
            "realm", "admin_token", core.crypto.EncryptedTextField(blank=True, default="", db_default="")
        ),
        migrations.AddField("realm", "asked_at", models.DateTimeField(null=True)),
        migrations.AddField("passwordlink", "subject", models.CharField(max_length=255, db_default="")),
        migrations.AlterField(
            "passwordlink",
            "account",
            models.ForeignKey(
                null=True, on_delete=deletion.CASCADE, related_name="password_links", to="identity.account"
            ),
        ),
        migrations.RunSQL(
            "UPDATE identity_passwordlink SET subject = account_id::text WHERE subject = ''", migrations.RunSQL.noop
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField("passwordlink", "account")], database_operations=[]
        ),
    ]
