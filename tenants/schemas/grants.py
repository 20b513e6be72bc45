"""The rights of roles on the platform's tables in `public`: all that exist, and a test compares them with the catalogue.

px_app (web and workers, on the platform's address) gets what is listed. Tenants' roles get nothing, but for PUBLIC's
INSERT into the outbox and its columns of the webhooks' queue, where row-level policies let each see to itself alone.
"""

from typing import Final

from django.db import connections, transaction
from psycopg import sql

READ: Final = "SELECT"
WRITE: Final = "SELECT, INSERT, UPDATE"
OWN: Final = "SELECT, INSERT, UPDATE, DELETE"

APP_GRANTS: Final[dict[str, str]] = {
    "archives_archive": WRITE,
    "operators_operator": WRITE,
    "audit_entry": "SELECT, INSERT",
    "browser_sessions_browsersession": OWN,
    "django_migrations": READ,
    "events_failed": WRITE,
    "events_parked": OWN,
    "events_passed": WRITE,
    "django_session": OWN,
    "events_outbox": "SELECT, INSERT",
    "clients_apiclient": OWN,
    "idempotency_idempotencykey": OWN,
    "fleet_run": READ,
    "fleet_tenantrecord": READ,
    "identity_account": WRITE,
    "identity_application": OWN,
    "identity_attemptcounter": OWN,
    "identity_authenticator": OWN,
    "identity_recoverycode": OWN,
    "identity_passwordlink": OWN,
    "identity_realm": WRITE,
    "identity_signingkey": WRITE,
    "oauth2_provider_accesstoken": OWN,
    "oauth2_provider_devicegrant": OWN,
    "oauth2_provider_grant": OWN,
    "oauth2_provider_idtoken": OWN,
    "oauth2_provider_refreshtoken": OWN,
    "tenants_domain": OWN,
    "tenants_installation": READ,
    "tenants_operation": WRITE,
    "tenants_operationstep": WRITE,
    "tenants_schematemplate": READ,
    "tenants_tenant": WRITE,
    "webhook_attempts": WRITE,
    "webhook_queue": OWN,
}
# without id and sent_at: a message takes its place in the order, and is sent
OUTBOX_COLUMNS: Final = "occurred_at, name, version, tenant_id, actor_kind, actor_id, request_id, payload"
# a tenant puts its webhooks in line, and what `ON CONFLICT` reads of them
QUEUE_MOVED: Final = "due_at, waiting, waiting_since"
QUEUE_COLUMNS: Final = f"tenant_id, webhook_id, {QUEUE_MOVED}"
PUBLIC_GRANTS: Final[dict[str, str]] = {
    "events_outbox": f"INSERT ({OUTBOX_COLUMNS})",
    "webhook_queue": f"SELECT ({QUEUE_COLUMNS}), INSERT ({QUEUE_COLUMNS}), UPDATE ({QUEUE_MOVED})",
}


# A table's own migration may guard it in its own way, as the outbox's does.
_UNGUARDED: Final = """
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND NOT c.relrowsecurity
"""


def apply_public_grants() -> None:
    """Make the rights on every table of `public` exactly those of this file.

    Row-level security shows the rows to px_app alone, so that a right given by mistake shows a tenant's role nothing.
    """
    with transaction.atomic(using="ops"), connections["ops"].cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
        )
        for (table,) in cursor.fetchall():
            name = sql.Identifier(table)
            cursor.execute(sql.SQL("REVOKE ALL ON {} FROM PUBLIC, px_app").format(name))
            for role, grants in (("px_app", APP_GRANTS), ("PUBLIC", PUBLIC_GRANTS)):
                if rights := grants.get(table):
                    statement = sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), name, sql.SQL(role))
                    cursor.execute(statement)
        cursor.execute(_UNGUARDED)
        for (table,) in cursor.fetchall():
            name = sql.Identifier(table)
            cursor.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(name))
            cursor.execute(sql.SQL("CREATE POLICY platform_only ON {} TO px_app USING (true)").format(name))
        cursor.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO px_app")
