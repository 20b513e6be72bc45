from django.apps import AppConfig


class InboxConfig(AppConfig):
    name = "core.inbox"
    label = "inbox"

    def ready(self) -> None:
        from core.inbox import checks  # noqa: F401 - registers itself
