"""Where a request comes from."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest

IN_PROCESS = "plexica.in_process"  # in the environment of a call that this very process makes to itself


def client_address(request: HttpRequest) -> str:
    """Return the visitor's address: behind our proxy the one that it saw, never one that the visitor wrote."""
    if settings.TRUST_PROXY:
        seen = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        if seen:
            return str(seen)
    return str(request.META.get("REMOTE_ADDR", ""))


def network_of(address: str) -> str:
    """Return what belongs to one visitor: an IPv4 address, or the /64 that everybody gets of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False).network_address)
    return str(parsed)


def ip_of(request: HttpRequest) -> str | None:
    """Return the visitor's address if it is one: servers on a socket know none."""
    try:
        return str(ipaddress.ip_address(client_address(request)))
    except ValueError:
        return None
