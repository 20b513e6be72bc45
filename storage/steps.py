from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from storage.buckets import bucket_exists, delete_bucket_with_contents, ensure_bucket
from tenants.models import Tenant
from tenants.steps import Leftover, TenantStep


class BucketStep(TenantStep):
    """Gives the tenant its bucket."""

    key = "bucket"
    label = _("Bucket")
    makes: ClassVar[Mapping[str, str | Promise]] = {"bucket": _("Bucket")}

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        ensure_bucket(tenant.bucket_name)
        return str(tenant.bucket_name)

    def undo(self, tenant: Tenant) -> None:
        delete_bucket_with_contents(tenant.bucket_name)

    def find_leftovers(self, tenant: Tenant) -> list[Leftover]:
        return [Leftover("bucket", tenant.bucket_name)] if bucket_exists(tenant.bucket_name) else []
