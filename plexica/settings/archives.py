"""Exports, imports and clones of tenants: how long archives are kept, and what becomes of each table."""

from datetime import timedelta

from pydantic import Field

from archives.rules import Carried, LeftOut, Mask, Rule
from plexica.settings.environment import Environment, load


class Archives(Environment):
    export_keep_days: float = Field(
        30, gt=0, le=3650, description="How long a tenant's export is kept, also after the tenant was deleted"
    )
    archive_max_gb: float = Field(
        500, gt=0, description="An archive that unpacks to more than this is refused when it is imported"
    )
    import_max_mb: int = Field(
        2000,
        gt=0,
        description="The largest archive that console and API take; `manage.py import_tenant` knows no such limit."
        " The web process needs as much room in its temporary folder",
    )


_archives = load(Archives)
EXPORT_KEPT = timedelta(days=_archives.export_keep_days)
ARCHIVE_MAX_BYTES = int(_archives.archive_max_gb * 1_000_000_000)
IMPORT_MAX_BYTES = _archives.import_max_mb * 1_000_000
# Steps of TENANT_STEPS that a restored tenant does not need: its rows bring what they make.
RESTORED_BY_ROWS = ["preferences", "first_admin"]

_TOKENS = LeftOut("good for the issuer that gave it, and only for minutes or days: people sign in again")
# Every table of a tenant, in the order in which rows are written and loaded. A new table needs its line: tests compare
# these with the tables and columns that there are.
ARCHIVE_TABLES: dict[str, Rule] = {
    "django_migrations": LeftOut("the record of the schema itself, which is made with it"),
    "django_session": LeftOut("sessions belong to the address where they began"),
    "browser_sessions_browsersession": LeftOut("sessions belong to the address where they began"),
    "identity_signingkey": LeftOut("who has a key can sign tokens: every realm has its own"),
    "identity_application": LeftOut("clients of the realm, made anew with fresh secrets"),
    "identity_attemptcounter": LeftOut("what was tried at the old address"),
    "identity_authenticator": LeftOut("encrypted with keys of the old platform; people set their app up again"),
    "identity_recoverycode": LeftOut("goes with the app"),
    "identity_passwordlink": LeftOut("links that were mailed for the old address"),
    "oauth2_provider_accesstoken": _TOKENS,
    "oauth2_provider_devicegrant": _TOKENS,
    "oauth2_provider_grant": _TOKENS,
    "oauth2_provider_idtoken": _TOKENS,
    "oauth2_provider_refreshtoken": _TOKENS,
    "storage_keys_bucketkey": LeftOut("opens the old bucket; the new one has a key of its own"),
    "preferences_preferences": Carried(
        {
            "name": Mask.TEXT,
            "language": Mask.PLAIN,
            "time_zone": Mask.PLAIN,
            "theme": Mask.PLAIN,
            "brand_colour": Mask.PLAIN,
        }
    ),
    "identity_realm": Carried(
        {"provider": Mask.PLAIN, "issuer": Mask.PLAIN, "client_id": Mask.PLAIN},
        anew=dict.fromkeys(["client_secret", "server", "admin_secret", "admin_token"], ""),
    ),
    "identity_account": Carried({"password": Mask.PASSWORD, "email": Mask.EMAIL, "name": Mask.NAME}),
    "people_role": Carried(
        {"name": Mask.SLUG_OF_OWN, "label": Mask.LABEL_OF_OWN, "permissions": Mask.PLAIN},
    ),
    "people_person": Carried(
        {
            "subject": Mask.PLAIN,
            "email": Mask.EMAIL,
            "name": Mask.NAME,
            "realm_name": Mask.NAME,
            "language": Mask.PLAIN,
            "time_zone": Mask.PLAIN,
        }
    ),
    "people_roleassignment": Carried({}),
    "events_handled": LeftOut("positions of events that were published for the old tenant"),
    "webhooks_webhook": Carried(
        {
            "url": Mask.TEXT,
            "description": Mask.TEXT,
            "events": Mask.PLAIN,
            "created_by_name": Mask.NAME,
        },
        # a copy calls nobody until somebody looks at it: the original's receivers are not its own
        anew={"secret": "", "previous_secret": "", "status": "disabled", "disabled_because": "copied"},
    ),
    "webhooks_delivery": LeftOut("sent, or about to be sent, in the name of the old tenant"),
    "webhooks_attempt": LeftOut("goes with its delivery"),
    "clients_apiclient": LeftOut("its secret is at the old realm; programs get clients of their own"),
    "people_invitationrole": LeftOut("goes with its invitation"),
    "people_invitation": LeftOut("links that were mailed for the old address; who came in is in the audit log"),
    "idempotency_idempotencykey": LeftOut("answers that are kept a day for repeated calls at the old address"),
    "people_permissionsversion": LeftOut("tells processes that keep permissions that something changed"),
    "audit_entry": Carried(
        {
            "actor_kind": Mask.PLAIN,
            "actor_name": Mask.NAME,
            "action": Mask.PLAIN,
            "target_label": Mask.PLAIN,
            "target_name": Mask.NAME,
            "reason": Mask.TEXT,
            "facts": Mask.JSON,
            "request_id": Mask.PLAIN,
        }
    ),
}
