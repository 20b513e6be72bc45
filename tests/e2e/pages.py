"""Every page of both portals: an example of its address, or why nobody looks at it.

The names are those of the URL configuration; `test_pages.py` fails for one that is missing here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

PORTALS = {"platform": settings.PLATFORM_URLCONF, "workspace": settings.TENANT_URLCONF}
DATA = "answers programs, not people"
FRAGMENT = "a fragment that other pages fetch; the palette's test looks at it"
STEP = "only redirects"
SET_PASSWORD, DEVICE_CODE, DEVICE_DONE = "{single_use}", "{device}", "{allowed}"  # filled in by the test
# filled in with what the scenery made
STUCK, GONE, DELETION, RUN, EXPORT = "{stuck}", "{gone}", "{deletion}", "{run}", "{export}"


@dataclass(frozen=True)
class Example:
    """One page: where, as whom, and what it answers."""

    path: str
    who: str | None = None
    status: int = 200
    slug: str | None = None  # None: the platform's host, or acme-corp's for pages of the workspace


COMMON: dict[str, Example | str] = {
    "oidc_authentication_init": STEP,
    "oidc_authentication_callback": STEP,
    "oidc_logout": STEP,
    "set_language": STEP,
    "set_language_at_issuer": STEP,
    "sign_in_failed": Example("/sign-in-failed/", status=403),
    "sign_in": Example("/op/sign-in/"),
    "set_password": Example(SET_PASSWORD),
    "oauth2_provider:authorize": STEP,
    "oauth2_provider:token": DATA,
    "oauth2_provider:revoke-token": DATA,
    "oauth2_provider:introspect": DATA,
    "oauth2_provider:user-info": DATA,
    "oauth2_provider:rp-initiated-logout": Example("/op/sign-out/", "signed_in"),
    "oauth2_provider:device-authorization": DATA,
    "oauth2_provider:device": Example("/op/device/", "signed_in"),
    "oauth2_provider:device-confirm": Example(f"/op/device/plexica-cli/{DEVICE_CODE}/", "signed_in"),
    "oauth2_provider:device-grant-status": Example(f"/op/device/plexica-cli/{DEVICE_DONE}/done/", "signed_in"),
    "oauth2_provider:oidc-connect-discovery-info": DATA,
    "oauth2_provider:jwks-info": DATA,
    "oauth2_provider:oauth-server-metadata": DATA,
    "api_schema": DATA,
    "api_docs": Example("/api/v1/docs/"),
    "api_me": DATA,
}
PAGES: dict[str, dict[str, Example | str]] = {
    "platform": {
        **COMMON,
        "home": Example("/"),
        "console_home": STEP,
        "console_search": FRAGMENT,
        "operator_profile": Example("/console/profile/", "operator"),
        "tenant_list": Example("/console/tenants/", "operator"),
        "tenant_create": Example("/console/tenants/create/", "operator"),
        "tenant_detail": Example("/console/tenants/acme-corp/", "operator"),
        "tenant_first_admin_link": "shows its answer on tenant_detail; walk 3 looks at it",
        "components": Example("/console/components/", "operator"),
        "fleet_list": Example("/console/fleet/", "operator"),
        "fleet_run": Example(f"/console/fleet/{RUN}/", "operator"),
        "tenant_csv": DATA,
        "tenant_bulk": Example("/console/tenants/bulk/", "operator", status=404),
        "tenant_check": "shows its answer on tenant_detail",
        "tenant_members": Example("/console/tenants/acme-corp/members/", "operator"),
        "tenant_operations": Example("/console/tenants/acme-corp/operations/", "operator"),
        "tenant_audit": Example("/console/tenants/acme-corp/audit/", "operator"),
        "tenant_suspend": Example("/console/tenants/acme-corp/suspend/", "operator"),
        "tenant_reactivate": Example("/console/tenants/hooli/reactivate/", "operator"),
        "tenant_rename": Example("/console/tenants/acme-corp/rename/", "operator"),
        "tenant_delete": Example("/console/tenants/acme-corp/delete/", "operator"),
        "tenant_delete_now": Example("/console/tenants/umbrella/delete-now/", "operator"),
        "tenant_undo_deletion": "shows its answer on tenant_detail",
        "tenant_export": Example("/console/tenants/acme-corp/export/", "operator"),
        "tenant_clone": Example("/console/tenants/acme-corp/clone/", "operator"),
        "export_download": DATA,
        "operation_list": Example("/console/operations/", "operator"),
        "operation_detail": Example(f"/console/operations/{STUCK}/", "operator"),
        "operation_answer": Example(f"/console/operations/{STUCK}/clean/", "operator"),
        "api_tenants": DATA,
        "api_tenant": DATA,
        "api_tenant_suspend": DATA,
        "api_tenant_reactivate": DATA,
        "api_tenant_undo_deletion": DATA,
        "api_tenant_delete_now": DATA,
        "api_tenant_operations": DATA,
        "api_tenant_audit": DATA,
        "api_tenant_exports": DATA,
        "api_tenant_clone": DATA,
        "api_export": DATA,
        "api_export_content": DATA,
        "api_operations": DATA,
        "api_operation_retry": DATA,
        "api_operation_give_up": DATA,
        "api_operation": DATA,
    },
    "workspace": {
        **COMMON,
        "dashboard": Example("/", "owner"),
        "sign_ins_csv": DATA,
        "team_list": Example("/team/", "owner"),
        "profile": Example("/profile/", "owner"),
        "workspace_search": FRAGMENT,
        "brand_css": DATA,
        "file_read": DATA,
    },
}
# What the URL configuration does not know: errors, empty and other states.
MORE: dict[str, dict[str, Example]] = {
    "platform": {
        "404": Example("/no/such/page/", status=404),
        "404 console": Example("/console/tenants/no-such-tenant/", "operator", status=404),
        "unknown address": Example("/", slug="nobody-there", status=404),
        "suspended": Example("/", slug="hooli", status=403),
        "being set up": Example("/", slug="initech", status=503),
        "tenant being set up": Example("/console/tenants/initech/", "operator"),
        "tenant suspended": Example("/console/tenants/hooli/", "operator"),
        "tenant with a stuck operation": Example("/console/tenants/stark/", "operator"),
        "tenant in its grace period": Example("/console/tenants/umbrella/", "operator"),
        "tenant deleted": Example(f"/console/tenants/{GONE}/", "operator"),
        "export": Example(f"/console/operations/{EXPORT}/", "operator"),
        "tenant with an export": Example("/console/tenants/globex-inc/", "operator"),
        "deletion": Example(f"/console/operations/{DELETION}/", "operator"),
        "busy tenant": Example("/console/tenants/umbrella/delete/", "operator", status=409),
        "nobody of a tenant fits": Example("/console/tenants/acme-corp/members/?q=zzz", "operator"),
        "no entry fits": Example("/console/tenants/acme-corp/audit/?q=zzz", "operator"),
        "no operation fits": Example("/console/operations/?kind=delete&status=failed", "operator"),
        "failed tenants of a run": Example(f"/console/fleet/{RUN}/?status=failed", "operator"),
        "no tenant fits": Example("/console/tenants/?q=zzz", "operator"),
        "link used": Example("/op/set-password/no-such-token/", status=410),
    },
    "workspace": {
        "404": Example("/no/such/page/", "owner", status=404),
        "404 stranger": Example("/no/such/page/", status=404),
        "dashboard of 7 days": Example("/?days=7", "owner"),
        "dashboard of 90 days": Example("/?days=90", "owner"),
        "nobody fits": Example("/team/?q=zzz", "owner"),
    },
}


def routes(portal: str) -> Iterator[str]:
    """The names of all routes of a portal, with namespaces; a route without a name appears as its pattern."""
    yield from _routes(get_resolver(PORTALS[portal]), "")


def _routes(resolver: URLResolver, namespace: str) -> Iterator[str]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from _routes(entry, f"{namespace}{entry.namespace}:" if entry.namespace else namespace)
        elif isinstance(entry, URLPattern):
            yield f"{namespace}{entry.name}" if entry.name else str(entry.pattern)


def examples() -> Iterator[tuple[str, str, Example]]:
    """Portal, name and example of every page that is looked at."""
    for portal, pages in PAGES.items():
        looked_at = {name: page for name, page in pages.items() if isinstance(page, Example)}
        for name, example in (looked_at | MORE[portal]).items():
            yield portal, name, example
