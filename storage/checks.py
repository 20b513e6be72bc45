"""What the console looks at of a tenant's bucket."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from storage.buckets import bucket_exists, measure_bucket
from tenants.infrastructure import Facts, TenantCheck, Verdict
from tenants.models import Tenant


class BucketCheck(TenantCheck):
    """Whether the bucket is reachable, and what is in it."""

    key = "bucket"
    label = gettext_lazy("Bucket")

    def name_of(self, tenant: Tenant) -> str:
        return str(tenant.bucket_name)

    def look(self, tenant: Tenant) -> Facts:
        if not bucket_exists(tenant.bucket_name):
            return {"exists": False}
        size = measure_bucket(tenant.bucket_name)
        return {
            "exists": True,
            "objects": size.objects,
            "size_bytes": size.size_bytes,
            "is_complete": size.is_complete,
        }

    def say(self, facts: Facts) -> Verdict:
        return Verdict("ok", _("Reachable")) if facts["exists"] else Verdict("bad", _("Missing"))
