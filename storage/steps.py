from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from storage.adapters import store
from storage.buckets import bucket_exists, delete_bucket_with_contents, ensure_bucket
from storage.keys.services import ensure_key
from tenants.models import Tenant
from tenants.steps import Leftover, TenantStep


class BucketStep(TenantStep):
    """Gives the tenant its bucket, and a key that opens this bucket alone. The key's row goes with the schema."""

    key = "bucket"
    label = _("Bucket")
    makes: ClassVar[Mapping[str, str | Promise]] = {"bucket": _("Bucket"), "key": _("Bucket’s key")}

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        ensure_bucket(tenant.bucket_name)
        ensure_key(tenant.ref)
        return str(tenant.bucket_name)

    def undo(self, tenant: Tenant) -> None:
        delete_bucket_with_contents(tenant.bucket_name)

    def find_leftovers(self, tenant: Tenant) -> list[Leftover]:
        name = tenant.bucket_name
        found = {"bucket": bucket_exists(name), "key": store().has_keyholder(name)}
        return [Leftover(kind, name) for kind, is_there in found.items() if is_there]
