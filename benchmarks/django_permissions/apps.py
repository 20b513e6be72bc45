from django.apps import AppConfig


class DjangoPermissions(AppConfig):
    name = "benchmarks.django_permissions"
    label = "things"
    default_auto_field = "django.db.models.BigAutoField"
