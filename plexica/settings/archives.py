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


_archives = load(Archives)
EXPORT_KEPT = timedelta(days=_archives.export_keep_days)
ARCHIVE_MAX_BYTES = int(_archives.archive_max_gb * 1_000_000_000)
# Steps of TENANT_STEPS that a restored tenant does not need: its rows bring what they make.
RESTORED_BY_ROWS = ["preferences", "first_admin"]

_TOKENS = LeftOut("good for the issuer that gave it, and only for minutes or days: people sign in again")
# Every table of a tenant, in the order in which rows are written and loaded. A new table needs its line: tests compare
# these with the tables and columns that there are.
ARCHIVE_TABLES: dict[str, Rule] = {
    "django_migrations": LeftOut("the record of the schema itself, which is made with it"),
    "django_session": LeftOut("sessions belong to the address where they began"),
    "identity_signingkey": LeftOut("who has a key can sign tokens: every realm has its own"),
    "identity_application": LeftOut("clients of the realm, made anew with fresh secrets"),
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
        {"provider": Mask.PLAIN, "issuer": Mask.PLAIN, "client_id": Mask.PLAIN}, anew={"client_secret": ""}
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
            "language": Mask.PLAIN,
            "time_zone": Mask.PLAIN,
        }
    ),
    "people_roleassignment": Carried({}),
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
