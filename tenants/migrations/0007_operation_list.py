from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("tenants", "0006_identity_server")]
    operations = [
        AddIndexConcurrently(
            "operation",
            models.Index(
                models.Case(
                    models.When(status__in=["pending", "running", "undoing", "stuck"], then=0),
                    default=1,
                ),
                models.F("created_at").desc(),
                models.F("id").desc(),
                name="tenants_operation_list",
            ),
        ),
    ]
