from django.apps import AppConfig


class InboxConfig(AppConfig):
    name = "events.inbox"
    label = "events_inbox"
