"""Context of every page: how it is drawn."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import translation

THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class PageLook:
    """Theme, sidebar, language and release, as the server draws them."""

    theme: str
    sidebar: str
    language: str
    release: str


@dataclass(frozen=True, slots=True)
class NavEntry:
    """An entry of the sidebar."""

    label: str
    url: str
    icon: str
    current: bool = False
    count: str | None = None
    tone: str = ""


@dataclass(frozen=True, slots=True)
class NavGroup:
    """Entries of the sidebar under one heading, or under none."""

    label: str
    entries: list[NavEntry]


@dataclass(frozen=True, slots=True)
class PaletteEntry:
    """Something that the command palette finds."""

    label: str
    url: str
    icon: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class PaletteGroup:
    """What the palette found of one kind."""

    label: str
    entries: list[PaletteEntry]


def page(request: HttpRequest) -> dict[str, Any]:
    """Context of every page: its look, where the language is switched, and nothing signed in yet."""
    preferences = getattr(request, "preferences", None)
    theme = request.COOKIES.get(settings.THEME_COOKIE_NAME, "")
    fallback = preferences.theme if preferences else "light"
    return {
        "px": PageLook(
            theme=theme if theme in THEMES else fallback,
            sidebar="collapsed" if request.COOKIES.get(settings.SIDEBAR_COOKIE_NAME) == "collapsed" else "",
            language=translation.get_language() or "en",
            release=settings.RELEASE,
        ),
        "tenant": None,
        "brand_url": None,
        "nav": [],
        "language_url": reverse("set_language"),
        "sign_out_url": reverse("oidc_logout"),
    }
