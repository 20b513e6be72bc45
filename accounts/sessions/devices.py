"""Says in words which browser a session belongs to."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

# The first that is found counts: browsers name those that they descend from, too.
_BROWSERS = (
    ("Edg/", "Edge"), ("EdgA/", "Edge"), ("EdgiOS/", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"), ("FxiOS/", "Firefox"), ("Firefox/", "Firefox"), ("CriOS/", "Chrome"), ("Chrome/", "Chrome"),
    ("Safari/", "Safari"), ("curl/", "curl"), ("python-requests/", "Python"), ("python-httpx/", "Python"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("CrOS", "ChromeOS"), ("Windows", "Windows"),
    ("Macintosh", "macOS"), ("Linux", "Linux"),
)  # fmt: skip
_HANDHELD = {"iPhone", "iPad", "Android"}


@dataclass(frozen=True, slots=True)
class Device:
    """What a browser says of itself, in words."""

    words: str
    is_handheld: bool


def describe_device(user_agent: str) -> Device:
    """Return the words for a User-Agent: *Firefox on Linux*. What it says is a claim, and good for recognising only."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser and system:
        words = _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    else:
        words = browser or system or _("Unknown browser")
    return Device(words, system in _HANDHELD)
