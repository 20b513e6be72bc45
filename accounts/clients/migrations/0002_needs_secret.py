from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clients", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="apiclient",
            name="needs_secret",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
