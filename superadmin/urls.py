from django.conf import settings
from django.urls import path

from superadmin.views import home, tenants

urlpatterns = [
    path("", home.console_home, name="console_home"),
    path("search/", home.console_search, name="console_search"),
    path("profile/", home.operator_profile, name="operator_profile"),
    path("tenants/", tenants.tenant_list, name="tenant_list"),
    path("tenants/create/", tenants.tenant_create, name="tenant_create"),
    path("tenants/<slug:slug>/", tenants.tenant_detail, name="tenant_detail"),
    path("tenants/<slug:slug>/suspend/", tenants.tenant_suspend, name="tenant_suspend"),
    path("tenants/<slug:slug>/reactivate/", tenants.tenant_reactivate, name="tenant_reactivate"),
    path("tenants/<slug:slug>/first-admin-link/", tenants.tenant_first_admin_link, name="tenant_first_admin_link"),
]
if settings.SHOW_COMPONENTS:
    urlpatterns.append(path("components/", home.components, name="components"))
