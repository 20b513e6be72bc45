from django.urls import path

from accounts.api import sessions, two_factor
from superadmin.api import clients, events, exports, imports, operations, operators, tenants, views, webhooks

urlpatterns = [
    path("tenants/", tenants.TenantCollection.as_view(), name="api_tenants"),
    path("tenants/<str:slug>/", tenants.TenantItem.as_view(), name="api_tenant"),
    path("tenants/<str:slug>/suspend/", tenants.TenantSuspension.as_view(), name="api_tenant_suspend"),
    path("tenants/<str:slug>/reactivate/", tenants.TenantReactivation.as_view(), name="api_tenant_reactivate"),
    path("tenants/<str:slug>/undo-deletion/", tenants.TenantDeletionUndo.as_view(), name="api_tenant_undo_deletion"),
    path("tenants/<str:slug>/delete-now/", tenants.TenantDeletionNow.as_view(), name="api_tenant_delete_now"),
    path("tenants/<str:slug>/operations/", tenants.TenantOperations.as_view(), name="api_tenant_operations"),
    path("tenants/<str:slug>/audit/", tenants.TenantAudit.as_view(), name="api_tenant_audit"),
    path("tenants/<str:slug>/exports/", exports.TenantExports.as_view(), name="api_tenant_exports"),
    path("tenants/<str:slug>/clone/", exports.TenantClone.as_view(), name="api_tenant_clone"),
    path("exports/<uuid:export_id>/", exports.ExportItem.as_view(), name="api_export"),
    path("exports/<uuid:export_id>/content/", exports.ExportContent.as_view(), name="api_export_content"),
    path("imports/", imports.ImportCollection.as_view(), name="api_imports"),
    path("imports/<uuid:import_id>/", imports.ImportItem.as_view(), name="api_import"),
    path("imports/<uuid:import_id>/start/", imports.ImportStart.as_view(), name="api_import_start"),
    path("operations/", operations.OperationCollection.as_view(), name="api_operations"),
    path("operations/<uuid:operation_id>/", operations.OperationItem.as_view(), name="api_operation"),
    path("operations/<uuid:operation_id>/retry/", operations.OperationRetry.as_view(), name="api_operation_retry"),
    path(
        "operations/<uuid:operation_id>/give-up/", operations.OperationGivingUp.as_view(), name="api_operation_give_up"
    ),
    path("events/", events.EventsStatus.as_view(), name="api_events"),
    path("events/failed/", events.FailedEventCollection.as_view(), name="api_failed_events"),
    path("events/answers/", events.FailedEventsAnswers.as_view(), name="api_event_answers"),
    path("events/failed/<uuid:failed_id>/", events.FailedEventItem.as_view(), name="api_failed_event"),
    path("events/failed/<uuid:failed_id>/retry/", events.FailedEventRetry.as_view(), name="api_failed_event_retry"),
    path(
        "events/failed/<uuid:failed_id>/dismiss/",
        events.FailedEventDismissal.as_view(),
        name="api_failed_event_dismiss",
    ),
    path("events/webhooks/", webhooks.WebhooksByTenant.as_view(), name="api_event_webhooks"),
    path("events/replays/", events.Replays.as_view(), name="api_event_replays"),
    path("api-clients/", clients.ApiClientCollection.as_view(), name="api_clients"),
    path("api-clients/<uuid:client_id>/", clients.ApiClientItem.as_view(), name="api_client"),
    path("api-clients/<uuid:client_id>/secret/", clients.ApiClientSecret.as_view(), name="api_client_secret"),
    path("operators/", operators.OperatorCollection.as_view(), name="api_operators"),
    path("operators/<uuid:operator_id>/", operators.OperatorItem.as_view(), name="api_operator"),
    path("operators/<uuid:operator_id>/unlock/", operators.OperatorUnlocking.as_view(), name="api_operator_unlock"),
    path(
        "operators/<uuid:operator_id>/reset-second-factor/",
        operators.OperatorSecondFactorReset.as_view(),
        name="api_operator_reset_factor",
    ),
    path("me/", views.Me.as_view(), name="api_me"),
    path("me/two-factor/", two_factor.MyTwoFactor.as_view(), name="api_me_two_factor"),
    path("sessions/", sessions.SessionCollection.as_view(), name="api_sessions"),
    path("sessions/<uuid:session_id>/", sessions.SessionItem.as_view(), name="api_session"),
]
