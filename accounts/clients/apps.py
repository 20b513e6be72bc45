from django.apps import AppConfig


class ClientsConfig(AppConfig):
    name = "accounts.clients"
    label = "clients"
