from django.urls import path

from superadmin.api import views

urlpatterns = [
    path("tenants/", views.TenantCollection.as_view(), name="api_tenants"),
    path("tenants/<str:slug>/", views.TenantItem.as_view(), name="api_tenant"),
    path("tenants/<str:slug>/suspend/", views.TenantSuspension.as_view(), name="api_tenant_suspend"),
    path("tenants/<str:slug>/reactivate/", views.TenantReactivation.as_view(), name="api_tenant_reactivate"),
    path("operations/<uuid:operation_id>/", views.OperationItem.as_view(), name="api_operation"),
    path("me/", views.Me.as_view(), name="api_me"),
]
