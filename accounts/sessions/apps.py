from django.apps import AppConfig


class SessionsConfig(AppConfig):
    name = "accounts.sessions"
    label = "browser_sessions"
