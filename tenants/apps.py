from django.apps import AppConfig


class TenantsConfig(AppConfig):
    name = "tenants"

    def ready(self) -> None:
        from tenants.services import provisioning  # noqa: F401 - registers its kind of operation
