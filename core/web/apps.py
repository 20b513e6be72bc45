from django.apps import AppConfig
from django.contrib.staticfiles.apps import StaticFilesConfig


class WebConfig(AppConfig):
    name = "core.web"
    label = "web"
    default = True


class StaticFiles(StaticFilesConfig):
    """Django's static files, without what builds ours and without those of libraries whose pages we do not show."""

    ignore_patterns = [
        *StaticFilesConfig.ignore_patterns,
        "build.mjs",
        "icons.txt",
        "redoc",
        "rest_framework",
        "oauth2_provider",
        "django_htmx",
    ]
