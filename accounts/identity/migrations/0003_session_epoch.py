from django.db import migrations, models


class Migration(migrations.Migration):
    """An account's sessions at the built-in issuer can be ended by counting up a number."""

    dependencies = [("identity", "0002_keycloak")]

    operations = [
        migrations.AddField("account", "session_epoch", models.PositiveIntegerField(db_default=0, default=0)),
    ]
