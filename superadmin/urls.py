from django.conf import settings
from django.urls import path

from superadmin.views import changes, exports, fleet, home, operations, tenant, tenant_tabs, tenants

urlpatterns = [
    path("", home.console_home, name="console_home"),
    path("search/", home.console_search, name="console_search"),
    path("profile/", home.operator_profile, name="operator_profile"),
    path("tenants/", tenants.tenant_list, name="tenant_list"),
    path("tenants.csv", tenants.tenant_csv, name="tenant_csv"),
    path("tenants/create/", tenants.tenant_create, name="tenant_create"),
    path("tenants/bulk/", tenants.tenant_bulk, name="tenant_bulk"),
    path("tenants/<slug:slug>/", tenant.tenant_detail, name="tenant_detail"),
    path("tenants/<slug:slug>/check/", tenant.tenant_check, name="tenant_check"),
    path("tenants/<slug:slug>/members/", tenant_tabs.tenant_members, name="tenant_members"),
    path("tenants/<slug:slug>/operations/", tenant_tabs.tenant_operations, name="tenant_operations"),
    path("tenants/<slug:slug>/audit/", tenant_tabs.tenant_audit, name="tenant_audit"),
    path("tenants/<slug:slug>/first-admin-link/", tenant.tenant_first_admin_link, name="tenant_first_admin_link"),
    path("tenants/<slug:slug>/suspend/", changes.tenant_suspend, name="tenant_suspend"),
    path("tenants/<slug:slug>/reactivate/", changes.tenant_reactivate, name="tenant_reactivate"),
    path("tenants/<slug:slug>/rename/", changes.tenant_rename, name="tenant_rename"),
    path("tenants/<slug:slug>/delete/", changes.tenant_delete, name="tenant_delete"),
    path("tenants/<slug:slug>/delete-now/", changes.tenant_delete_now, name="tenant_delete_now"),
    path("tenants/<slug:slug>/undo-deletion/", changes.tenant_undo_deletion, name="tenant_undo_deletion"),
    path("tenants/<slug:slug>/export/", exports.tenant_export, name="tenant_export"),
    path("tenants/<slug:slug>/clone/", exports.tenant_clone, name="tenant_clone"),
    path("exports/<uuid:archive_id>/", exports.export_download, name="export_download"),
    path("operations/", operations.operation_list, name="operation_list"),
    path("operations/<uuid:operation_id>/", operations.operation_detail, name="operation_detail"),
    path("operations/<uuid:operation_id>/<slug:answer>/", operations.operation_answer, name="operation_answer"),
    path("fleet/", fleet.fleet_list, name="fleet_list"),
    path("fleet/<uuid:run_id>/", fleet.fleet_run, name="fleet_run"),
]
if settings.SHOW_COMPONENTS:
    urlpatterns.append(path("components/", home.components, name="components"))
