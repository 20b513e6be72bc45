"""What everybody gets at every named address. An address without a row here fails.

A row says what GET answers to: nobody signed in, somebody of another tenant, a member, the owner, and (on the platform)
the operator. On the platform, tenants' people bring the cookies that they have. "in" is a redirect to sign-in.
"""

import uuid
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

A_LINK = "op/set-password/" + "x" * 43 + "/"
OPERATION = str(uuid.uuid4())
FORM = "form"  # a redirect to the issuer's form
IN = "in"

# for each name: its path, then anonymous, outsider, member, owner
TENANT: dict[str, tuple[Any, ...]] = {
    "dashboard": ("", IN, IN, 200, 200),
    "sign_ins_csv": ("sign-ins.csv", IN, IN, 200, 200),
    "team_list": ("team/", IN, IN, 200, 200),
    "profile": ("profile/", IN, IN, 200, 200),
    "workspace_search": ("search/?q=a", IN, IN, 200, 200),
    "brand_css": ("brand.css", 200, 200, 200, 200),
    "file_read": ("files/no-link/", 404, 404, 404, 404),
    "api_me": ("api/v1/me/", 401, 401, 200, 200),
}
# for each name: its path, then anonymous, outsider, member, owner, operator
PLATFORM: dict[str, tuple[Any, ...]] = {
    "home": ("", 200, 200, 200, 200, 200),
    "console_home": ("console/", IN, IN, IN, IN, 302),
    "console_search": ("console/search/?q=a", IN, IN, IN, IN, 200),
    "operator_profile": ("console/profile/", IN, IN, IN, IN, 200),
    "tenant_list": ("console/tenants/", IN, IN, IN, IN, 200),
    "tenant_create": ("console/tenants/create/", IN, IN, IN, IN, 200),
    "tenant_csv": ("console/tenants.csv", IN, IN, IN, IN, 200),
    "tenant_bulk": ("console/tenants/bulk/", IN, IN, IN, IN, 404),
    "tenant_check": ("console/tenants/acme-corp/check/", 405, 405, 405, 405, 405),
    "tenant_members": ("console/tenants/acme-corp/members/", IN, IN, IN, IN, 200),
    "tenant_operations": ("console/tenants/acme-corp/operations/", IN, IN, IN, IN, 200),
    "tenant_audit": ("console/tenants/acme-corp/audit/", IN, IN, IN, IN, 200),
    "tenant_detail": ("console/tenants/acme-corp/", IN, IN, IN, IN, 200),
    "tenant_first_admin_link": ("console/tenants/acme-corp/first-admin-link/", 405, 405, 405, 405, 405),
    "tenant_suspend": ("console/tenants/acme-corp/suspend/", IN, IN, IN, IN, 200),
    "tenant_reactivate": ("console/tenants/acme-corp/reactivate/", IN, IN, IN, IN, 409),
    "tenant_rename": ("console/tenants/acme-corp/rename/", IN, IN, IN, IN, 200),
    "tenant_delete": ("console/tenants/acme-corp/delete/", IN, IN, IN, IN, 200),
    "tenant_delete_now": ("console/tenants/acme-corp/delete-now/", IN, IN, IN, IN, 409),
    "tenant_undo_deletion": ("console/tenants/acme-corp/undo-deletion/", 405, 405, 405, 405, 405),
    "tenant_export": ("console/tenants/acme-corp/export/", IN, IN, IN, IN, 200),
    "tenant_clone": ("console/tenants/acme-corp/clone/", IN, IN, IN, IN, 200),
    "export_download": (f"console/exports/{OPERATION}/", IN, IN, IN, IN, 404),
    "operation_list": ("console/operations/", IN, IN, IN, IN, 200),
    "operation_detail": (f"console/operations/{OPERATION}/", IN, IN, IN, IN, 404),
    "operation_answer": (f"console/operations/{OPERATION}/retry/", IN, IN, IN, IN, 404),
    "fleet_list": ("console/fleet/", IN, IN, IN, IN, 200),
    "fleet_run": (f"console/fleet/{OPERATION}/", IN, IN, IN, IN, 404),
    "components": ("console/components/", IN, IN, IN, IN, 200),
    "api_tenants": ("api/v1/tenants/", 401, 401, 401, 401, 200),
    "api_tenant": ("api/v1/tenants/acme-corp/", 401, 401, 401, 401, 200),
    "api_tenant_suspend": ("api/v1/tenants/acme-corp/suspend/", 401, 401, 401, 401, 405),
    "api_tenant_reactivate": ("api/v1/tenants/acme-corp/reactivate/", 401, 401, 401, 401, 405),
    "api_tenant_undo_deletion": ("api/v1/tenants/acme-corp/undo-deletion/", 401, 401, 401, 401, 405),
    "api_tenant_delete_now": ("api/v1/tenants/acme-corp/delete-now/", 401, 401, 401, 401, 405),
    "api_tenant_operations": ("api/v1/tenants/acme-corp/operations/", 401, 401, 401, 401, 200),
    "api_tenant_audit": ("api/v1/tenants/acme-corp/audit/", 401, 401, 401, 401, 200),
    "api_tenant_exports": ("api/v1/tenants/acme-corp/exports/", 401, 401, 401, 401, 200),
    "api_tenant_clone": ("api/v1/tenants/acme-corp/clone/", 401, 401, 401, 401, 405),
    "api_export": (f"api/v1/exports/{OPERATION}/", 401, 401, 401, 401, 404),
    "api_export_content": (f"api/v1/exports/{OPERATION}/content/", 401, 401, 401, 401, 404),
    "api_operations": ("api/v1/operations/", 401, 401, 401, 401, 200),
    "api_operation_retry": (f"api/v1/operations/{OPERATION}/retry/", 401, 401, 401, 401, 405),
    "api_operation_give_up": (f"api/v1/operations/{OPERATION}/give-up/", 401, 401, 401, 401, 405),
    "api_operation": (f"api/v1/operations/{OPERATION}/", 401, 401, 401, 401, 404),
    "api_me": ("api/v1/me/", 401, 401, 401, 401, 200),
}
# on both kinds of addresses: the fifth is whoever belongs there (the owner, or the operator)
COMMON: dict[str, tuple[Any, ...]] = {
    "oidc_authentication_init": ("oidc/authenticate/", 302, 302, 302, 302),
    "oidc_authentication_callback": ("oidc/callback/", 302, 302, 302, 302),
    "oidc_logout": ("oidc/sign-out/", 405, 405, 405, 405),
    "sign_in_failed": ("sign-in-failed/", 403, 403, 403, 403),
    "set_language": ("language/", 405, 405, 405, 405),
    "set_language_at_issuer": ("op/language/", 405, 405, 405, 405),
    "sign_in": ("op/sign-in/", 200, 200, 200, 200),
    "set_password": (A_LINK, 410, 410, 410, 410),
    "oauth2_provider:authorize": ("op/authorize/", FORM, FORM, 400, 400),
    "oauth2_provider:token": ("op/token/", 405, 405, 405, 405),
    "oauth2_provider:revoke-token": ("op/revoke/", 405, 405, 405, 405),
    "oauth2_provider:introspect": ("op/introspect/", 403, 403, 403, 403),
    "oauth2_provider:user-info": ("op/userinfo/", 401, 401, 401, 401),
    "oauth2_provider:rp-initiated-logout": ("op/sign-out/", 302, 302, 200, 200),
    "oauth2_provider:device-authorization": ("op/device-authorization/", 405, 405, 405, 405),
    "oauth2_provider:device": ("op/device/", FORM, FORM, 200, 200),
    "oauth2_provider:device-confirm": ("op/device/plexica-cli/ABCD1234/", FORM, FORM, 404, 404),
    "oauth2_provider:device-grant-status": ("op/device/plexica-cli/ABCD1234/done/", FORM, FORM, 404, 404),
    "oauth2_provider:oidc-connect-discovery-info": ("op/.well-known/openid-configuration", 200, 200, 200, 200),
    "oauth2_provider:oauth-server-metadata": ("op/.well-known/oauth-authorization-server", 200, 200, 200, 200),
    "oauth2_provider:jwks-info": ("op/.well-known/jwks.json", 200, 200, 200, 200),
    "api_schema": ("api/v1/schema/", 200, 200, 200, 200),
    "api_docs": ("api/v1/docs/", 200, 200, 200, 200),
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

    led_to = {name: resolver.resolve("/" + row[0].partition("?")[0]).view_name for name, row in rows.items()}

    assert led_to == {name: name for name in rows}


def answered(visitor, path):
    answer = visitor.get(f"/{path}")
    if answer.status_code == 302 and answer["Location"].startswith("/oidc/authenticate/?next="):
        return IN
    if answer.status_code == 302 and answer["Location"].startswith("/op/sign-in/?next="):
        return FORM
    return answer.status_code


@pytest.mark.parametrize("name", [*TENANT, *COMMON])
def test_addresses_of_a_tenant(name, owner, member, outsider, visitor, acme):
    path, *expected = {**COMMON, **TENANT}[name]
    everybody = [visitor(acme), visitor(acme, cookies=outsider.cookies), member, owner]

    assert [answered(person, path) for person in everybody] == expected


@pytest.mark.parametrize("name", PLATFORM)
def test_addresses_of_the_platform(name, owner, member, outsider, operator_at_console, visitor):
    path, *expected = PLATFORM[name]
    strangers = [visitor(), *(visitor(cookies=person.cookies) for person in (outsider, member, owner))]

    assert [answered(person, path) for person in [*strangers, operator_at_console]] == expected


@pytest.mark.parametrize("name", COMMON)
def test_addresses_that_the_platform_has_too(name, owner, operator_at_console, visitor):
    path, anonymous, outsider, _, at_home = COMMON[name]
    strangers = [visitor(), visitor(cookies=owner.cookies)]

    assert [answered(person, path) for person in strangers] == [anonymous, outsider]
    assert answered(operator_at_console, path) == at_home
