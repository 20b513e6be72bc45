from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "events.outbox"
    label = "outbox"
