from django.db import migrations, models


class Migration(migrations.Migration):
    """A workspace can ask a second factor of everybody."""

    dependencies = [("preferences", "0001_initial")]

    operations = [
        migrations.AddField("preferences", "two_factor_required", models.BooleanField(db_default=False, default=False)),
    ]
