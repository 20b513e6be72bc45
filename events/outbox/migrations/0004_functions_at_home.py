from django.db import migrations

# PL/pgSQL plans a function's expressions anew whenever the search path is another one, and a process changes it with each
# tenant. With a path of its own a function keeps its plans.
FUNCTIONS = ("tenant_code(uuid)", "notify_relay()")


class Migration(migrations.Migration):
    dependencies = [("outbox", "0003_tenant_code_in_a_loop")]
    operations = [
        migrations.RunSQL(
            [f"ALTER FUNCTION {function} SET search_path = pg_catalog" for function in FUNCTIONS],
            [f"ALTER FUNCTION {function} RESET search_path" for function in FUNCTIONS],
        )
    ]
