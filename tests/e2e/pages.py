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
PERSON, DISABLED, ROLE, BUILTIN = "{person}", "{disabled}", "{role}", "{builtin}"
MAIL = "{mail}"
RECEIVED = "{received}"
FAILED_EVENT = "{failed_event}"
INVITATION, INVITATION_TOKEN = "{invitation}", "{invitation_token}"
CLIENT, MACHINE, COLLEAGUE = "{client}", "{machine}", "{colleague}"
WEBHOOK, STOPPED_WEBHOOK, DELIVERY = "{webhook}", "{stopped_webhook}", "{delivery}"


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
    "oidc_backchannel_logout": DATA,
    "profile_session_end": STEP,
    "profile_sessions_end_others": STEP,
    "profile_sessions_end_all": STEP,
    "set_language": STEP,
    "set_language_at_issuer": STEP,
    "sign_in_failed": Example("/sign-in-failed/", status=403),
    "sign_in": Example("/op/sign-in/"),
    "sign_in_code": "the walk with a second factor looks at it",
    "sign_in_set_up": "the walk with a second factor looks at it",
    "forgot_password": Example("/op/forgot-password/"),
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
    "api_me_two_factor": DATA,
    "api_sessions": DATA,
    "api_session": DATA,
}
PAGES: dict[str, dict[str, Example | str]] = {
    "platform": {
        **COMMON,
        "home": Example("/"),
        "inbox": Example("/inbox/"),
        "inbox_mail": Example(f"/inbox/{MAIL}/"),
        "inbox_content": "inbox_mail shows it in a frame",
        "console_home": STEP,
        "console_search": FRAGMENT,
        "operator_profile": Example("/console/profile/", "operator"),
        "profile_security": Example("/console/profile/security/", "operator"),
        "profile_two_factor_on": Example("/console/profile/security/two-factor/on/", "operator"),
        "profile_two_factor_codes": Example("/console/profile/security/two-factor/codes/", "operator"),
        "profile_two_factor_off": Example("/console/profile/security/two-factor/off/", "operator"),
        "profile_sessions": Example("/console/profile/sessions/", "operator"),
        "tenant_list": Example("/console/tenants/", "operator"),
        "tenant_create": Example("/console/tenants/create/", "operator"),
        "tenant_detail": Example("/console/tenants/acme-corp/", "operator"),
        "tenant_first_admin_link": "shows its answer on tenant_detail; walk 3 looks at it",
        "components": Example("/console/components/", "operator"),
        "operator_list": Example("/console/operators/", "operator"),
        "operator_create": Example("/console/operators/create/", "operator"),
        "operator_role": Example(f"/console/operators/{COLLEAGUE}/role/", "operator"),
        "operator_disable": Example(f"/console/operators/{COLLEAGUE}/disable/", "operator"),
        "operator_enable": Example(f"/console/operators/{COLLEAGUE}/enable/", "operator"),
        "operator_reset_factor": Example(f"/console/operators/{COLLEAGUE}/reset-second-factor/", "operator"),
        "operator_unlock": Example(f"/console/operators/{COLLEAGUE}/unlock/", "operator"),
        "client_list": Example("/console/api-clients/", "operator"),
        "client_create": Example("/console/api-clients/create/", "operator"),
        "client_secret": Example(f"/console/api-clients/{MACHINE}/secret/", "operator"),
        "client_revoke": Example(f"/console/api-clients/{MACHINE}/revoke/", "operator"),
        "api_clients": DATA,
        "api_client": DATA,
        "api_client_secret": DATA,
        "event_list": Example("/console/events/", "operator"),
        "event_detail": Example(f"/console/events/failed/{FAILED_EVENT}/", "operator"),
        "event_answer": Example(f"/console/events/answer/?answer=retry&event={FAILED_EVENT}", "operator"),
        "event_webhooks": Example("/console/events/webhooks/", "operator"),
        "api_event_webhooks": DATA,
        "event_replay": Example("/console/events/replay/", "operator"),
        "api_events": DATA,
        "api_failed_events": DATA,
        "api_failed_event": DATA,
        "api_failed_event_retry": DATA,
        "api_failed_event_dismiss": DATA,
        "api_event_answers": DATA,
        "api_event_replays": DATA,
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
        "import_upload": Example("/console/imports/", "operator"),
        "import_detail": Example(f"/console/imports/{RECEIVED}/", "operator"),
        "import_discard": Example(f"/console/imports/{RECEIVED}/discard/", "operator"),
        "api_imports": DATA,
        "api_import": DATA,
        "api_import_start": DATA,
        "operation_list": Example("/console/operations/", "operator"),
        "operation_detail": Example(f"/console/operations/{STUCK}/", "operator"),
        "operation_answer": Example(f"/console/operations/{STUCK}/clean/", "operator"),
        "api_operators": DATA,
        "api_operator": DATA,
        "api_operator_unlock": DATA,
        "api_operator_reset_factor": DATA,
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
        "person_detail": Example(f"/team/{PERSON}/", "owner"),
        "person_roles": STEP,
        "person_disable": Example(f"/team/{PERSON}/disable/", "owner"),
        "person_enable": Example(f"/team/{DISABLED}/enable/", "owner"),
        "person_remove": Example(f"/team/{PERSON}/remove/", "owner"),
        "person_sign_in": Example(f"/team/{PERSON}/sign-in/", "owner"),
        "api_person_sign_in": DATA,
        "person_reset_factor": Example(f"/team/{PERSON}/reset-second-factor/", "owner"),
        "settings_security": Example("/settings/security/", "owner"),
        "api_settings_security": DATA,
        "api_person_reset_factor": DATA,
        "person_unlock": Example(f"/team/{PERSON}/unlock/", "owner"),
        "api_person_unlock": DATA,
        "role_list": Example("/roles/", "owner"),
        "role_create": Example("/roles/create/", "owner"),
        "role_detail": Example(f"/roles/{ROLE}/", "owner"),
        "role_delete": Example(f"/roles/{ROLE}/delete/", "owner"),
        "invitation_list": Example("/team/invitations/?state=all", "owner"),
        "invitation_create": Example("/team/invite/", "owner"),
        "invitation_resend": "only redirects, to invitation_list",
        "invitation_revoke": Example(f"/team/invitations/{INVITATION}/revoke/", "owner"),
        "invitation": Example(f"/invitations/{INVITATION_TOKEN}/"),
        "client_list": Example("/api-clients/", "owner"),
        "client_create": Example("/api-clients/create/", "owner"),
        "client_secret": Example(f"/api-clients/{CLIENT}/secret/", "owner"),
        "client_revoke": Example(f"/api-clients/{CLIENT}/revoke/", "owner"),
        "api_invitations": DATA,
        "api_invitation": DATA,
        "api_invitation_resend": DATA,
        "api_clients": DATA,
        "api_client": DATA,
        "api_client_secret": DATA,
        "webhook_list": Example("/webhooks/", "owner"),
        "webhook_create": Example("/webhooks/create/", "owner"),
        "webhook_detail": Example(f"/webhooks/{WEBHOOK}/", "owner"),
        "webhook_change": Example(f"/webhooks/{WEBHOOK}/change/", "owner"),
        "webhook_test": "only redirects, to webhook_delivery",
        "webhook_rotate": Example(f"/webhooks/{WEBHOOK}/rotate/", "owner"),
        "webhook_enable": Example(f"/webhooks/{STOPPED_WEBHOOK}/enable/", "owner"),
        "webhook_disable": Example(f"/webhooks/{WEBHOOK}/disable/", "owner"),
        "webhook_delete": Example(f"/webhooks/{WEBHOOK}/delete/", "owner"),
        "webhook_delivery": Example(f"/webhooks/{WEBHOOK}/deliveries/{DELIVERY}/", "owner"),
        "webhook_redeliver": "only redirects, to webhook_delivery",
        "api_webhooks": DATA,
        "api_webhook_events": DATA,
        "api_webhook": DATA,
        "api_webhook_rotate_secret": DATA,
        "api_webhook_enable": DATA,
        "api_webhook_disable": DATA,
        "api_webhook_test": DATA,
        "api_webhook_deliveries": DATA,
        "api_webhook_delivery": DATA,
        "api_webhook_redeliver": DATA,
        "api_people": DATA,
        "api_person": DATA,
        "api_roles": DATA,
        "api_role": DATA,
        "api_permissions": DATA,
        "profile": Example("/profile/", "owner"),
        "profile_security": Example("/profile/security/", "owner"),
        "profile_two_factor_on": Example("/profile/security/two-factor/on/", "owner"),
        "profile_two_factor_codes": Example("/profile/security/two-factor/codes/", "owner"),
        "profile_two_factor_off": Example("/profile/security/two-factor/off/", "owner"),
        "profile_sessions": Example("/profile/sessions/", "owner"),
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
        "no event fits": Example("/console/events/?status=all&q=zzz", "operator"),
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
        "no invitation fits": Example("/team/invitations/?q=zzz", "owner"),
        "invitation that ended": Example("/invitations/no-such-token/", status=410),
        "invitation of somebody else": Example(f"/invitations/{INVITATION_TOKEN}/", "owner"),
        "no API client fits": Example("/api-clients/?q=zzz", "owner"),
        "nobody fits": Example("/team/?q=zzz", "owner"),
        "no webhook fits": Example("/webhooks/?q=zzz", "owner"),
        "webhook that is disabled": Example(f"/webhooks/{STOPPED_WEBHOOK}/", "owner"),
        "somebody who is disabled": Example(f"/team/{DISABLED}/", "owner"),
        "somebody as others see them": Example(f"/team/{PERSON}/", "member"),
        "built-in role": Example(f"/roles/{BUILTIN}/", "owner"),
        "not permitted": Example("/roles/", "member", status=403),
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
