"""Makes schemas as django-tenants does by default, by running all migrations; prints the seconds of each as JSON."""

import json
import sys
import time

import django


def main(count: int) -> None:
    """Make so many schemas."""
    django.setup()
    from core.ids import uuid7
    from core.tenancy import names
    from tenants.models import Tenant

    took = []
    for _ in range(count):
        tenant_id = uuid7()
        tenant = Tenant(id=tenant_id, schema_name=names.schema_name(tenant_id))
        begin = time.perf_counter()
        tenant.create_schema(verbosity=0)  # type: ignore[no-untyped-call]
        took.append(time.perf_counter() - begin)
    print(json.dumps(took))


if __name__ == "__main__":
    main(int(sys.argv[1]))
