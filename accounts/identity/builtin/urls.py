"""/op/: only what the issuer needs of django-oauth-toolkit. (Its full set lets any user register clients.)"""

from django.urls import include, path
from django.views.decorators.cache import never_cache
from oauth2_provider import views as oauth

from accounts.identity.builtin import endpoints, metadata, sign_in, views

oauth_urls = [
    # asks nothing, since the pages' client is ours; what it shows are requests that cannot be answered
    path(
        "authorize/",
        never_cache(oauth.AuthorizationView.as_view(template_name="sign_in_failed.html")),
        name="authorize",
    ),
    path("token/", endpoints.TokenEndpoint.as_view(), name="token"),
    path("revoke/", oauth.RevokeTokenView.as_view(), name="revoke-token"),
    path("introspect/", oauth.IntrospectTokenView.as_view(), name="introspect"),
    path("userinfo/", oauth.UserInfoView.as_view(), name="user-info"),
    path("sign-out/", views.SignOutPage.as_view(), name="rp-initiated-logout"),
    path("device-authorization/", metadata.DeviceStartView.as_view(), name="device-authorization"),
    path("device/", views.DevicePage.as_view(), name="device"),
    path("device/<slug:client_id>/<slug:user_code>/", views.DeviceConfirmPage.as_view(), name="device-confirm"),
    path("device/<slug:client_id>/<slug:user_code>/done/", views.DeviceDonePage.as_view(), name="device-grant-status"),
    path(".well-known/openid-configuration", metadata.DiscoveryView.as_view(), name="oidc-connect-discovery-info"),
    path(
        ".well-known/oauth-authorization-server", oauth.OAuthServerMetadataView.as_view(), name="oauth-server-metadata"
    ),
    path(".well-known/jwks.json", metadata.jwks, name="jwks-info"),
]

urlpatterns = [
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-in/code/", sign_in.sign_in_code, name="sign_in_code"),
    path("sign-in/set-up/", sign_in.sign_in_set_up, name="sign_in_set_up"),
    path("forgot-password/", views.forgot_password, name="forgot_password"),
    path("set-password/<str:token>/", views.set_password, name="set_password"),
    path("", include((oauth_urls, "oauth2_provider"))),
]
