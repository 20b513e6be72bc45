"""What everybody gets at every named address. An address without a row here fails.

A row says what GET answers to whom; where GET is not answered at all, a row of POSTS says it of POST. Strangers on a
tenant's address are nobody, somebody of another tenant and operators of both roles, each with the cookies and the access
token that they have at home; on the platform they are everybody of the tenants. "in" is a redirect to sign-in.
"""

import re
import uuid
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.api.permissions import SIGNED_IN, SUPER_ADMIN, Requires
from accounts.people.models import Person, Role
from accounts.permissions import registered
from core.tenancy import enter
from tests.support.issuer import Issuer

A_LINK = "op/set-password/" + "x" * 43 + "/"
OPERATION = str(uuid.uuid4())
FORM = "form"  # a redirect to the issuer's form
IN = "in"

# for each name: its path ({person}: the guest, {role}: the role user), then strangers, guest, member, owner
TENANT: dict[str, tuple[Any, ...]] = {
    "dashboard": ("", IN, 200, 200, 200),
    "sign_ins_csv": ("sign-ins.csv", IN, 200, 200, 200),
    "team_list": ("team/", IN, 403, 200, 200),
    "person_detail": ("team/{person}/", IN, 403, 200, 200),
    "person_roles": ("team/{person}/roles/", 405, 405, 405, 405),
    "person_disable": ("team/{person}/disable/", IN, 403, 403, 200),
    "person_enable": ("team/{person}/enable/", IN, 403, 403, 200),
    "person_remove": ("team/{person}/remove/", IN, 403, 403, 200),
    "person_sign_in": ("team/{person}/sign-in/", IN, 403, 403, 200),
    "api_person_sign_in": ("api/v1/people/{person}/sign-in/", 401, 403, 403, 200),
    "person_reset_factor": ("team/{person}/reset-second-factor/", IN, 403, 403, 200),
    "settings_security": ("settings/security/", IN, 403, 403, 200),
    "api_me_two_factor": ("api/v1/me/two-factor/", 401, 200, 200, 200),
    "api_settings_security": ("api/v1/settings/security/", 401, 403, 403, 200),
    "api_person_reset_factor": ("api/v1/people/{person}/reset-second-factor/", 401, 405, 405, 405),
    "person_unlock": ("team/{person}/unlock/", IN, 403, 403, 200),
    "role_list": ("roles/", IN, 403, 403, 200),
    "role_create": ("roles/create/", IN, 403, 403, 200),
    "role_detail": ("roles/{role}/", IN, 403, 403, 200),
    "role_delete": ("roles/{role}/delete/", IN, 403, 403, 409),
    "invitation_create": ("team/invite/", IN, 403, 403, 200),
    "invitation_list": ("team/invitations/", IN, 403, 403, 200),
    "invitation_resend": (f"team/invitations/{OPERATION}/resend/", 405, 405, 405, 405),
    "invitation_revoke": (f"team/invitations/{OPERATION}/revoke/", IN, 403, 403, 404),
    "invitation": ("invitations/no-such-token/", 410, 410, 410, 410),
    "client_list": ("api-clients/", IN, 403, 403, 200),
    "client_create": ("api-clients/create/", IN, 403, 403, 200),
    "client_secret": (f"api-clients/{OPERATION}/secret/", IN, 403, 403, 404),
    "client_revoke": (f"api-clients/{OPERATION}/revoke/", IN, 403, 403, 404),
    "api_invitations": ("api/v1/invitations/", 401, 403, 403, 200),
    "api_invitation": (f"api/v1/invitations/{OPERATION}/", 401, 403, 403, 404),
    "api_invitation_resend": (f"api/v1/invitations/{OPERATION}/resend/", 401, 405, 405, 405),
    "api_clients": ("api/v1/api-clients/", 401, 403, 403, 200),
    "api_client": (f"api/v1/api-clients/{OPERATION}/", 401, 403, 403, 404),
    "api_client_secret": (f"api/v1/api-clients/{OPERATION}/secret/", 401, 405, 405, 405),
    "webhook_list": ("webhooks/", IN, 403, 403, 200),
    "webhook_create": ("webhooks/create/", IN, 403, 403, 200),
    "webhook_detail": (f"webhooks/{OPERATION}/", IN, 403, 403, 404),
    "webhook_change": (f"webhooks/{OPERATION}/change/", IN, 403, 403, 404),
    "webhook_test": (f"webhooks/{OPERATION}/test/", 405, 405, 405, 405),
    "webhook_rotate": (f"webhooks/{OPERATION}/rotate/", IN, 403, 403, 404),
    "webhook_enable": (f"webhooks/{OPERATION}/enable/", IN, 403, 403, 404),
    "webhook_disable": (f"webhooks/{OPERATION}/disable/", IN, 403, 403, 404),
    "webhook_delete": (f"webhooks/{OPERATION}/delete/", IN, 403, 403, 404),
    "webhook_delivery": (f"webhooks/{OPERATION}/deliveries/{OPERATION}/", IN, 403, 403, 404),
    "webhook_redeliver": (f"webhooks/{OPERATION}/deliveries/{OPERATION}/send-again/", 405, 405, 405, 405),
    "api_webhooks": ("api/v1/webhooks/", 401, 403, 403, 200),
    "api_webhook_events": ("api/v1/webhook-events/", 401, 403, 403, 200),
    "api_webhook": (f"api/v1/webhooks/{OPERATION}/", 401, 403, 403, 404),
    "api_webhook_rotate_secret": (f"api/v1/webhooks/{OPERATION}/rotate-secret/", 401, 405, 405, 405),
    "api_webhook_enable": (f"api/v1/webhooks/{OPERATION}/enable/", 401, 405, 405, 405),
    "api_webhook_disable": (f"api/v1/webhooks/{OPERATION}/disable/", 401, 405, 405, 405),
    "api_webhook_test": (f"api/v1/webhooks/{OPERATION}/test/", 401, 405, 405, 405),
    "api_webhook_deliveries": (f"api/v1/webhooks/{OPERATION}/deliveries/", 401, 403, 403, 404),
    "api_webhook_delivery": (f"api/v1/webhooks/{OPERATION}/deliveries/{OPERATION}/", 401, 403, 403, 404),
    "api_webhook_redeliver": (f"api/v1/webhooks/{OPERATION}/deliveries/{OPERATION}/redeliver/", 401, 405, 405, 405),
    "profile": ("profile/", IN, 200, 200, 200),
    "profile_security": ("profile/security/", IN, 200, 200, 200),
    "profile_two_factor_on": ("profile/security/two-factor/on/", IN, 200, 200, 200),
    "profile_two_factor_codes": ("profile/security/two-factor/codes/", IN, 200, 200, 200),
    "profile_two_factor_off": ("profile/security/two-factor/off/", IN, 200, 200, 200),
    "profile_sessions": ("profile/sessions/", IN, 200, 200, 200),
    "profile_session_end": (f"profile/sessions/{OPERATION}/end/", 405, 405, 405, 405),
    "profile_sessions_end_others": ("profile/sessions/end-others/", 405, 405, 405, 405),
    "profile_sessions_end_all": ("profile/sessions/end-all/", 405, 405, 405, 405),
    "workspace_search": ("search/?q=a", IN, 200, 200, 200),
    "brand_css": ("brand.css", 200, 200, 200, 200),
    "file_read": ("files/no-link/", 404, 404, 404, 404),
    "api_me": ("api/v1/me/", 401, 200, 200, 200),
    "api_sessions": ("api/v1/sessions/", 401, 200, 200, 200),
    "api_session": (f"api/v1/sessions/{OPERATION}/", 401, 405, 405, 405),
    "api_people": ("api/v1/people/", 401, 403, 200, 200),
    "api_person": ("api/v1/people/{person}/", 401, 403, 200, 200),
    "api_person_unlock": ("api/v1/people/{person}/unlock/", 401, 405, 405, 405),
    "api_roles": ("api/v1/roles/", 401, 403, 200, 200),
    "api_role": ("api/v1/roles/{role}/", 401, 403, 200, 200),
    "api_permissions": ("api/v1/permissions/", 401, 403, 200, 200),
}
# for each name: its path, then anybody who is no operator, support, super admin
PLATFORM: dict[str, tuple[Any, ...]] = {
    "home": ("", 200, 200, 200),
    "inbox": ("inbox/", 200, 200, 200),
    "inbox_mail": ("inbox/no-mail/", 404, 404, 404),
    "inbox_content": ("inbox/no-mail/content/", 404, 404, 404),
    "console_home": ("console/", IN, 302, 302),
    "client_list": ("console/api-clients/", IN, 200, 200),
    "client_create": ("console/api-clients/create/", IN, 403, 200),
    "client_secret": (f"console/api-clients/{OPERATION}/secret/", IN, 403, 404),
    "client_revoke": (f"console/api-clients/{OPERATION}/revoke/", IN, 403, 404),
    "api_clients": ("api/v1/api-clients/", 401, 200, 200),
    "api_client": (f"api/v1/api-clients/{OPERATION}/", 401, 404, 404),
    "api_client_secret": (f"api/v1/api-clients/{OPERATION}/secret/", 401, 405, 405),
    "operator_list": ("console/operators/", IN, 200, 200),
    "operator_create": ("console/operators/create/", IN, 403, 200),
    "operator_role": (f"console/operators/{OPERATION}/role/", IN, 403, 404),
    "operator_disable": (f"console/operators/{OPERATION}/disable/", IN, 403, 404),
    "operator_enable": (f"console/operators/{OPERATION}/enable/", IN, 403, 404),
    "operator_reset_factor": (f"console/operators/{OPERATION}/reset-second-factor/", IN, 403, 404),
    "operator_unlock": (f"console/operators/{OPERATION}/unlock/", IN, 403, 404),
    "console_search": ("console/search/?q=a", IN, 200, 200),
    "operator_profile": ("console/profile/", IN, 200, 200),
    "profile_security": ("console/profile/security/", IN, 200, 200),
    "profile_two_factor_on": ("console/profile/security/two-factor/on/", IN, 200, 200),
    "profile_two_factor_codes": ("console/profile/security/two-factor/codes/", IN, 200, 200),
    "profile_two_factor_off": ("console/profile/security/two-factor/off/", IN, 200, 200),
    "profile_sessions": ("console/profile/sessions/", IN, 200, 200),
    "profile_session_end": (f"console/profile/sessions/{OPERATION}/end/", 405, 405, 405),
    "profile_sessions_end_others": ("console/profile/sessions/end-others/", 405, 405, 405),
    "profile_sessions_end_all": ("console/profile/sessions/end-all/", 405, 405, 405),
    "tenant_list": ("console/tenants/", IN, 200, 200),
    "tenant_create": ("console/tenants/create/", IN, 403, 200),
    "tenant_csv": ("console/tenants.csv", IN, 200, 200),
    "tenant_bulk": ("console/tenants/bulk/", IN, 403, 404),
    "tenant_check": ("console/tenants/acme-corp/check/", 405, 405, 405),
    "tenant_members": ("console/tenants/acme-corp/members/", IN, 200, 200),
    "tenant_operations": ("console/tenants/acme-corp/operations/", IN, 200, 200),
    "tenant_audit": ("console/tenants/acme-corp/audit/", IN, 200, 200),
    "tenant_detail": ("console/tenants/acme-corp/", IN, 200, 200),
    "tenant_first_admin_link": ("console/tenants/acme-corp/first-admin-link/", 405, 405, 405),
    "tenant_suspend": ("console/tenants/acme-corp/suspend/", IN, 403, 200),
    "tenant_reactivate": ("console/tenants/acme-corp/reactivate/", IN, 403, 409),
    "tenant_rename": ("console/tenants/acme-corp/rename/", IN, 403, 200),
    "tenant_delete": ("console/tenants/acme-corp/delete/", IN, 403, 200),
    "tenant_delete_now": ("console/tenants/acme-corp/delete-now/", IN, 403, 409),
    "tenant_undo_deletion": ("console/tenants/acme-corp/undo-deletion/", 405, 405, 405),
    "tenant_export": ("console/tenants/acme-corp/export/", IN, 403, 200),
    "tenant_clone": ("console/tenants/acme-corp/clone/", IN, 403, 200),
    "import_upload": ("console/imports/", IN, 403, 200),
    "import_detail": (f"console/imports/{OPERATION}/", IN, 403, 404),
    "import_discard": (f"console/imports/{OPERATION}/discard/", IN, 403, 404),
    "api_imports": ("api/v1/imports/", 401, 403, 200),
    "api_import": (f"api/v1/imports/{OPERATION}/", 401, 403, 404),
    "api_import_start": (f"api/v1/imports/{OPERATION}/start/", 401, 405, 405),
    "export_download": (f"console/exports/{OPERATION}/", IN, 403, 404),
    "operation_list": ("console/operations/", IN, 200, 200),
    "operation_detail": (f"console/operations/{OPERATION}/", IN, 404, 404),
    "operation_answer": (f"console/operations/{OPERATION}/retry/", IN, 403, 404),
    "event_list": ("console/events/", IN, 200, 200),
    "event_detail": (f"console/events/failed/{OPERATION}/", IN, 404, 404),
    "event_answer": (f"console/events/answer/?answer=retry&event={OPERATION}", IN, 403, 404),
    "event_webhooks": ("console/events/webhooks/", IN, 200, 200),
    "api_event_webhooks": ("api/v1/events/webhooks/", 401, 200, 200),
    "event_replay": ("console/events/replay/", IN, 403, 200),
    "api_events": ("api/v1/events/", 401, 200, 200),
    "api_failed_events": ("api/v1/events/failed/", 401, 200, 200),
    "api_failed_event": (f"api/v1/events/failed/{OPERATION}/", 401, 404, 404),
    "api_failed_event_retry": (f"api/v1/events/failed/{OPERATION}/retry/", 401, 405, 405),
    "api_failed_event_dismiss": (f"api/v1/events/failed/{OPERATION}/dismiss/", 401, 405, 405),
    "api_event_answers": ("api/v1/events/answers/", 401, 405, 405),
    "api_event_replays": ("api/v1/events/replays/", 401, 405, 405),
    "fleet_list": ("console/fleet/", IN, 200, 200),
    "fleet_run": (f"console/fleet/{OPERATION}/", IN, 404, 404),
    "components": ("console/components/", IN, 200, 200),
    "api_tenants": ("api/v1/tenants/", 401, 200, 200),
    "api_tenant": ("api/v1/tenants/acme-corp/", 401, 200, 200),
    "api_tenant_suspend": ("api/v1/tenants/acme-corp/suspend/", 401, 405, 405),
    "api_tenant_reactivate": ("api/v1/tenants/acme-corp/reactivate/", 401, 405, 405),
    "api_tenant_undo_deletion": ("api/v1/tenants/acme-corp/undo-deletion/", 401, 405, 405),
    "api_tenant_delete_now": ("api/v1/tenants/acme-corp/delete-now/", 401, 405, 405),
    "api_tenant_operations": ("api/v1/tenants/acme-corp/operations/", 401, 200, 200),
    "api_tenant_audit": ("api/v1/tenants/acme-corp/audit/", 401, 200, 200),
    "api_tenant_exports": ("api/v1/tenants/acme-corp/exports/", 401, 200, 200),
    "api_tenant_clone": ("api/v1/tenants/acme-corp/clone/", 401, 405, 405),
    "api_export": (f"api/v1/exports/{OPERATION}/", 401, 404, 404),
    "api_export_content": (f"api/v1/exports/{OPERATION}/content/", 401, 403, 404),
    "api_operations": ("api/v1/operations/", 401, 200, 200),
    "api_operation_retry": (f"api/v1/operations/{OPERATION}/retry/", 401, 405, 405),
    "api_operation_give_up": (f"api/v1/operations/{OPERATION}/give-up/", 401, 405, 405),
    "api_operation": (f"api/v1/operations/{OPERATION}/", 401, 404, 404),
    "api_me_two_factor": ("api/v1/me/two-factor/", 401, 200, 200),
    "api_operators": ("api/v1/operators/", 401, 200, 200),
    "api_operator_unlock": (f"api/v1/operators/{OPERATION}/unlock/", 401, 405, 405),
    "api_operator_reset_factor": (f"api/v1/operators/{OPERATION}/reset-second-factor/", 401, 405, 405),
    "api_operator": (f"api/v1/operators/{OPERATION}/", 401, 404, 404),
    "api_me": ("api/v1/me/", 401, 200, 200),
    "api_sessions": ("api/v1/sessions/", 401, 200, 200),
    "api_session": (f"api/v1/sessions/{OPERATION}/", 401, 405, 405),
}
# on both kinds of addresses: for each name its path, then strangers, then whoever belongs there
COMMON: dict[str, tuple[Any, ...]] = {
    "oidc_authentication_init": ("oidc/authenticate/", 302, 302),
    "oidc_authentication_callback": ("oidc/callback/", 302, 302),
    "oidc_logout": ("oidc/sign-out/", 405, 405),
    "oidc_backchannel_logout": ("oidc/backchannel-logout/", 405, 405),
    "sign_in_failed": ("sign-in-failed/", 403, 403),
    "set_language": ("language/", 405, 405),
    "set_language_at_issuer": ("op/language/", 405, 405),
    "sign_in": ("op/sign-in/", 200, 200),
    "sign_in_code": ("op/sign-in/code/", IN, IN),
    "sign_in_set_up": ("op/sign-in/set-up/", IN, IN),
    "forgot_password": ("op/forgot-password/", 200, 200),
    "set_password": (A_LINK, 410, 410),
    "oauth2_provider:authorize": ("op/authorize/", FORM, 400),
    "oauth2_provider:token": ("op/token/", 405, 405),
    "oauth2_provider:revoke-token": ("op/revoke/", 405, 405),
    "oauth2_provider:introspect": ("op/introspect/", 403, 403),
    "oauth2_provider:user-info": ("op/userinfo/", 401, 401),
    "oauth2_provider:rp-initiated-logout": ("op/sign-out/", 302, 200),
    "oauth2_provider:device-authorization": ("op/device-authorization/", 405, 405),
    "oauth2_provider:device": ("op/device/", FORM, 200),
    "oauth2_provider:device-confirm": ("op/device/plexica-cli/ABCD1234/", FORM, 404),
    "oauth2_provider:device-grant-status": ("op/device/plexica-cli/ABCD1234/done/", FORM, 404),
    "oauth2_provider:oidc-connect-discovery-info": ("op/.well-known/openid-configuration", 200, 200),
    "oauth2_provider:oauth-server-metadata": ("op/.well-known/oauth-authorization-server", 200, 200),
    "oauth2_provider:jwks-info": ("op/.well-known/jwks.json", 200, 200),
    "api_schema": ("api/v1/schema/", 200, 200),
    "api_docs": ("api/v1/docs/", 200, 200),
}


# what GET does not answer: what a POST with the CSRF token of one's own session answers, to the same people as above
POSTS: dict[str, tuple[Any, ...]] = {
    "webhook_test": (403, 403, 403, 404),
    "webhook_redeliver": (403, 403, 403, 404),
    "api_webhook_rotate_secret": (401, 403, 403, 404),
    "api_webhook_enable": (401, 403, 403, 404),
    "api_webhook_disable": (401, 403, 403, 404),
    "api_webhook_test": (401, 403, 403, 404),
    "api_webhook_redeliver": (401, 403, 403, 404),
    "invitation_resend": (403, 403, 403, 404),
    "api_invitation_resend": (401, 403, 403, 404),
    "api_client_secret": (401, 403, 403, 404),
    "person_roles": (403, 403, 403, 302),  # strangers have no token of this address; the guest has a role of theirs
    "api_person_reset_factor": (401, 403, 403, 204),
    "api_person_unlock": (401, 403, 403, 204),
    "profile_session_end": (403, 404, 404, 404),
    "profile_sessions_end_others": (403, 302, 302, 302),
    "profile_sessions_end_all": (403, 302, 302, 302),
    "api_session": (401, 405, 405, 405),
}
PLATFORM_POSTS: dict[str, tuple[Any, ...]] = {
    "profile_session_end": (IN, 404, 404),
    "profile_sessions_end_others": (IN, 302, 302),
    "profile_sessions_end_all": (IN, 302, 302),
    "api_session": (401, 405, 405),
    "api_client_secret": (401, 403, 404),
    "tenant_check": (IN, 302, 302),
    "tenant_first_admin_link": (IN, 403, 410),
    "tenant_undo_deletion": (IN, 403, 409),
    "api_tenant_suspend": (401, 403, 422),
    "api_tenant_reactivate": (401, 403, 422),
    "api_tenant_undo_deletion": (401, 403, 409),
    "api_tenant_delete_now": (401, 403, 422),
    "api_tenant_clone": (401, 403, 422),
    "api_import_start": (401, 403, 404),
    "api_operation_retry": (401, 403, 404),
    "api_failed_event_retry": (401, 403, 404),
    "api_failed_event_dismiss": (401, 403, 404),
    "api_event_answers": (401, 403, 422),
    "api_event_replays": (401, 403, 422),
    "api_operation_give_up": (401, 403, 404),
    "api_operator_unlock": (401, 403, 404),
    "api_operator_reset_factor": (401, 403, 404),
}


def names_in(resolver: URLResolver, namespace: str = "") -> set[str]:
    found: set[str] = set()
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            found |= names_in(entry, inner)
        elif isinstance(entry, URLPattern):
            assert entry.name, f"{entry.pattern} has no name"
            found.add(f"{namespace}{entry.name}")
    return found


def test_every_address_of_a_tenant_has_a_row(settings):
    assert names_in(get_resolver(settings.TENANT_URLCONF)) == {*TENANT, *COMMON}


def test_every_address_of_the_platform_has_a_row(settings):
    assert names_in(get_resolver(settings.PLATFORM_URLCONF)) == {*PLATFORM, *COMMON}


@pytest.mark.parametrize("urlconf", ["TENANT_URLCONF", "PLATFORM_URLCONF"])
def test_the_rows_paths_lead_to_the_names_that_they_stand_for(urlconf, settings):
    rows = COMMON | (TENANT if urlconf == "TENANT_URLCONF" else PLATFORM)
    resolver = get_resolver(getattr(settings, urlconf))

    paths = {name: re.sub(r"{\w+}", OPERATION, row[0].partition("?")[0]) for name, row in rows.items()}
    led_to = {name: resolver.resolve(f"/{path}").view_name for name, path in paths.items()}

    assert led_to == {name: name for name in rows}


def test_what_get_does_not_answer_has_a_row_for_post():
    assert {name for name, row in TENANT.items() if row[1] == 405 or row[-1] == 405} == {*POSTS}
    assert {name for name, row in PLATFORM.items() if row[-1] == 405} == {*PLATFORM_POSTS}


@pytest.mark.parametrize("urlconf", ["TENANT_URLCONF", "PLATFORM_URLCONF"])
def test_every_guard_asks_for_a_permission_that_there_is(urlconf, settings):
    known = {*registered(), SIGNED_IN, SUPER_ADMIN, "person", "operator", "principal", "super_admin"}

    asked = {ask for view in views_in(get_resolver(getattr(settings, urlconf))) for ask in asked_by(view)}

    assert asked <= known


@pytest.mark.parametrize("urlconf", ["TENANT_URLCONF", "PLATFORM_URLCONF"])
def test_every_method_of_the_api_says_who_may_call_it(urlconf, settings):
    """On the platform's address the method says it: operators read, and super admins change."""
    for view in views_in(get_resolver(getattr(settings, urlconf))):
        kind = getattr(view, "cls", None)
        if kind is None or kind.__module__.startswith("core.web"):
            continue
        methods = {name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(kind, name)}
        said = set(getattr(kind, "requires", {}))
        assert kind.permission_classes == [Requires], kind
        assert said <= methods, f"{kind}: rules for methods that it does not have"
        if urlconf == "TENANT_URLCONF":
            assert said == methods, f"{kind}: {methods - said} is for nobody"


def views_in(resolver: URLResolver):
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from views_in(entry)
        else:
            yield entry.callback


def asked_by(view):
    yield from [view.access] if hasattr(view, "access") else []
    yield from getattr(getattr(view, "cls", None), "requires", {}).values()


def answered(visitor, path, **headers):
    return meaning(visitor.get(f"/{path}", **headers))


def posted(visitor, path, home="/"):
    """POST nothing, with the CSRF token of a page of one's own, as a browser would."""
    page = visitor.get(home, follow=True).content.decode()
    token = re.search(r'name="csrf(?:middlewaretoken|-token)" (?:value|content)="([^"]+)"', page)
    headers = {"HTTP_X_CSRFTOKEN": token.group(1) if token else "", "HTTP_ORIGIN": f"http://{visitor.host}"}
    if path.startswith("api/"):
        return visitor.api("POST", f"/{path}", body={}, **headers).status_code
    return meaning(visitor._send("POST", f"/{path}", headers, data={}))


def meaning(answer):
    if answer.status_code == 302 and answer["Location"].startswith("/oidc/authenticate/?next="):
        return IN
    if answer.status_code == 302 and answer["Location"].startswith("/op/sign-in/?next="):
        return FORM
    return answer.status_code


@pytest.fixture
def path_of(acme, person_of_guest):
    """The path of a row, with ids of things that are there."""
    with enter(acme):
        ids = {"person": person_of_guest, "role": Role.objects.get(name="user").pk}
    return lambda path: re.sub(r"{(\w+)}", lambda found: str(ids[found.group(1)]), path)


@pytest.fixture
def person_of_guest(db, acme, world):
    with enter(acme):
        return Person.objects.get(email=world.person("guest").email).pk


@pytest.fixture
def strangers(visitor, acme, outsider, operator_at_console, support_at_console):
    """Whoever does not belong to acme-corp, with the cookies that they have at home."""
    others = (outsider, operator_at_console, support_at_console)
    return [visitor(acme), *(visitor(acme, cookies=person.cookies) for person in others)]


@pytest.mark.parametrize("name", TENANT)
def test_addresses_of_a_tenant(name, owner, member, guest, strangers, path_of):
    path, to_strangers, *expected = TENANT[name]
    path = path_of(path)

    assert [answered(stranger, path) for stranger in strangers] == [to_strangers] * len(strangers)
    assert [answered(person, path) for person in (guest, member, owner)] == expected


@pytest.mark.parametrize("name", POSTS)
def test_what_a_tenant_does_at_a_post(name, owner, member, guest, strangers, path_of):
    path, (to_strangers, *expected) = path_of(TENANT[name][0]), POSTS[name]

    assert [posted(stranger, path) for stranger in strangers] == [to_strangers] * len(strangers)
    assert [posted(person, path) for person in (guest, member, owner)] == expected


def test_an_access_token_of_elsewhere_opens_no_address(
    globex, outsider, operator_at_console, owner, acme, visitor, path_of
):
    """Nor does it keep out who could come in without it."""
    at_acme = [Issuer(globex).tokens(outsider), Issuer(None).tokens(operator_at_console)]
    at_platform = [Issuer(acme).tokens(owner), Issuer(globex).tokens(outsider)]

    for tokens, rows, place in ((at_acme, TENANT, acme), (at_platform, PLATFORM, None)):
        for name, (path, to_strangers, *_) in rows.items():
            for token in tokens:
                said = answered(visitor(place), path_of(path), HTTP_AUTHORIZATION=f"Bearer {token['access_token']}")
                assert said == to_strangers, name


@pytest.mark.parametrize("name", PLATFORM)
def test_addresses_of_the_platform(name, owner, guest, outsider, support_at_console, operator_at_console, visitor):
    path, to_others, to_support, to_super_admin = PLATFORM[name]
    others = [visitor(), *(visitor(cookies=person.cookies) for person in (outsider, guest, owner))]

    assert [answered(person, path) for person in others] == [to_others] * len(others)
    assert [answered(support_at_console, path), answered(operator_at_console, path)] == [to_support, to_super_admin]


@pytest.mark.parametrize("name", PLATFORM_POSTS)
def test_what_the_platform_does_at_a_post(
    name, owner, guest, outsider, support_at_console, operator_at_console, visitor
):
    path, (to_others, to_support, to_super_admin) = PLATFORM[name][0], PLATFORM_POSTS[name]
    others = [visitor(), *(visitor(cookies=person.cookies) for person in (outsider, guest, owner))]
    at_home = [posted(person, path, "/console/tenants/") for person in (support_at_console, operator_at_console)]

    assert [posted(person, path) for person in others] == [to_others] * len(others)
    assert at_home == [to_support, to_super_admin]


@pytest.mark.parametrize("name", COMMON)
def test_addresses_that_both_have(name, owner, guest, outsider, operator_at_console, visitor, acme):
    path, to_strangers, to_who_belongs_here = COMMON[name]
    strangers = [visitor(), visitor(cookies=owner.cookies), visitor(acme), visitor(acme, cookies=outsider.cookies)]
    at_home = [owner, guest, operator_at_console]

    assert [answered(person, path) for person in strangers] == [to_strangers] * len(strangers)
    assert [answered(person, path) for person in at_home] == [to_who_belongs_here] * len(at_home)
