from django.urls import path

from superadmin.api import exports, operations, tenants, views

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
    path("operations/", operations.OperationCollection.as_view(), name="api_operations"),
    path("operations/<uuid:operation_id>/", operations.OperationItem.as_view(), name="api_operation"),
    path("operations/<uuid:operation_id>/retry/", operations.OperationRetry.as_view(), name="api_operation_retry"),
    path(
        "operations/<uuid:operation_id>/give-up/", operations.OperationGivingUp.as_view(), name="api_operation_give_up"
    ),
    path("me/", views.Me.as_view(), name="api_me"),
]
