from django.urls import path

from accounts.api import clients, sessions, two_factor
from workspace.api import invitations, people, roles, settings, webhooks

urlpatterns = [
    path("me/", people.Me.as_view(), name="api_me"),
    path("me/two-factor/", two_factor.MyTwoFactor.as_view(), name="api_me_two_factor"),
    path("settings/security/", settings.SecuritySettings.as_view(), name="api_settings_security"),
    path(
        "people/<uuid:person_id>/reset-second-factor/",
        people.PersonSecondFactorReset.as_view(),
        name="api_person_reset_factor",
    ),
    path("people/", people.PersonCollection.as_view(), name="api_people"),
    path("people/<uuid:person_id>/", people.PersonItem.as_view(), name="api_person"),
    path("people/<uuid:person_id>/sign-in/", people.PersonSignIn.as_view(), name="api_person_sign_in"),
    path("people/<uuid:person_id>/unlock/", people.PersonUnlocking.as_view(), name="api_person_unlock"),
    path("roles/", roles.RoleCollection.as_view(), name="api_roles"),
    path("roles/<uuid:role_id>/", roles.RoleItem.as_view(), name="api_role"),
    path("invitations/", invitations.InvitationCollection.as_view(), name="api_invitations"),
    path("invitations/<uuid:invitation_id>/", invitations.InvitationItem.as_view(), name="api_invitation"),
    path(
        "invitations/<uuid:invitation_id>/resend/",
        invitations.InvitationResending.as_view(),
        name="api_invitation_resend",
    ),
    path("api-clients/", clients.ApiClientCollection.as_view(), name="api_clients"),
    path("api-clients/<uuid:client_id>/", clients.ApiClientItem.as_view(), name="api_client"),
    path("api-clients/<uuid:client_id>/secret/", clients.ApiClientSecret.as_view(), name="api_client_secret"),
    path("webhooks/", webhooks.WebhookCollection.as_view(), name="api_webhooks"),
    path("webhook-events/", webhooks.WebhookEventCollection.as_view(), name="api_webhook_events"),
    path("webhooks/<uuid:webhook_id>/", webhooks.WebhookItem.as_view(), name="api_webhook"),
    path(
        "webhooks/<uuid:webhook_id>/rotate-secret/",
        webhooks.WebhookRotation.as_view(),
        name="api_webhook_rotate_secret",
    ),
    path("webhooks/<uuid:webhook_id>/enable/", webhooks.WebhookEnabling.as_view(), name="api_webhook_enable"),
    path("webhooks/<uuid:webhook_id>/disable/", webhooks.WebhookDisabling.as_view(), name="api_webhook_disable"),
    path("webhooks/<uuid:webhook_id>/test/", webhooks.WebhookTest.as_view(), name="api_webhook_test"),
    path(
        "webhooks/<uuid:webhook_id>/deliveries/", webhooks.DeliveryCollection.as_view(), name="api_webhook_deliveries"
    ),
    path(
        "webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/",
        webhooks.DeliveryItem.as_view(),
        name="api_webhook_delivery",
    ),
    path(
        "webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/redeliver/",
        webhooks.Redelivery.as_view(),
        name="api_webhook_redeliver",
    ),
    path("permissions/", roles.PermissionCollection.as_view(), name="api_permissions"),
    path("sessions/", sessions.SessionCollection.as_view(), name="api_sessions"),
    path("sessions/<uuid:session_id>/", sessions.SessionItem.as_view(), name="api_session"),
]
