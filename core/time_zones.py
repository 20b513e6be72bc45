"""The time zones that people may choose."""

from functools import cache
from zoneinfo import available_timezones


@cache
def known_time_zones() -> frozenset[str]:
    """Return the names of all time zones of this machine; read from its disk once."""
    return frozenset(available_timezones())


@cache
def time_zone_choices() -> tuple[tuple[str, str], ...]:
    """Return (name, label) of UTC and of the zones that carry a place's name, for a select."""
    places = sorted(name for name in known_time_zones() if "/" in name and not name.startswith("Etc/"))
    return (("UTC", "UTC"), *((name, name.replace("_", " ")) for name in places))
