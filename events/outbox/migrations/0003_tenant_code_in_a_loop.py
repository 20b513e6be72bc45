from django.db import migrations

# The same as before, without a query inside: each row that a tenant publishes is compared with it by the policy.
LOOP = """
CREATE OR REPLACE FUNCTION tenant_code(id uuid) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    bits bit(60) := ('x' || right(replace(id::text, '-', ''), 15))::bit(60);
    code text := '';
BEGIN
    FOR n IN 0..11 LOOP
        code := code || substr('abcdefghijklmnopqrstuvwxyz234567', substring(bits FROM 5 * n + 1 FOR 5)::int + 1, 1);
    END LOOP;
    RETURN code;
END $$;
"""
QUERY = """
CREATE OR REPLACE FUNCTION tenant_code(id uuid) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT string_agg(substr('abcdefghijklmnopqrstuvwxyz234567', (substring(bits FROM 5 * n + 1 FOR 5))::int + 1, 1), '' ORDER BY n)
    FROM (SELECT ('x' || right(replace(id::text, '-', ''), 15))::bit(60) AS bits) b, generate_series(0, 11) n
$$;
"""


class Migration(migrations.Migration):
    dependencies = [("outbox", "0002_delivery")]
    operations = [migrations.RunSQL(LOOP, QUERY)]
