"""What both kinds of addresses have: sign-in, the built-in issuer, language, the API's document and page."""

from django.conf import settings
from django.urls import include, path
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache

from accounts import views as accounts
from core.web.openapi_view import DocsView, SchemaView

handler400 = "core.web.errors.bad_request"
handler403 = "core.web.errors.permission_denied"
handler404 = "core.web.errors.page_not_found"
handler500 = "core.web.errors.server_error"

urlpatterns = [
    path(
        "oidc/authenticate/",
        never_cache(import_string(settings.OIDC_AUTHENTICATE_CLASS).as_view()),
        name="oidc_authentication_init",
    ),
    path(
        "oidc/callback/",
        never_cache(import_string(settings.OIDC_CALLBACK_CLASS).as_view()),
        name="oidc_authentication_callback",
    ),
    path("oidc/sign-out/", accounts.sign_out, name="oidc_logout"),
    path("oidc/backchannel-logout/", accounts.backchannel_logout, name="oidc_backchannel_logout"),
    path("sign-in-failed/", accounts.sign_in_failed, name="sign_in_failed"),
    path("language/", accounts.set_language, name="set_language"),
    path("op/language/", accounts.set_language, name="set_language_at_issuer"),
    path("op/", include("accounts.identity.builtin.urls")),
    path("api/v1/schema/", SchemaView.as_view(), name="api_schema"),
    path(
        "api/v1/docs/",
        DocsView.as_view(template_name="api_docs.html", url_name="api_schema"),
        name="api_docs",
    ),
]
