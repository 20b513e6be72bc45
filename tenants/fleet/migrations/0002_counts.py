import django.db.models.deletion
from django.db import migrations, models

COUNT = """
    UPDATE fleet_run SET counts = counted.counts
    FROM (SELECT run_id, jsonb_object_agg(status, lines) AS counts
          FROM (SELECT run_id, status, count(*) AS lines FROM fleet_tenantrecord GROUP BY run_id, status) AS each
          GROUP BY run_id) AS counted
    WHERE counted.run_id = fleet_run.id AND fleet_run.status IN ('succeeded', 'failed', 'stopped')
"""


class Migration(migrations.Migration):
    dependencies = [("fleet", "0001_initial")]

    operations = [
        migrations.RemoveIndex(model_name="tenantrecord", name="fleet_tenantrecord_status"),
        migrations.AlterField(
            model_name="tenantrecord",
            name="run",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="records",
                to="fleet.run",
            ),
        ),
        migrations.RunSQL(
            "ALTER TABLE fleet_tenantrecord SET (fillfactor = 50)",
            "ALTER TABLE fleet_tenantrecord RESET (fillfactor)",
        ),
        migrations.AddField(model_name="run", name="counts", field=models.JSONField(null=True)),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
    ]
