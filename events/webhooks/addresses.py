"""Which addresses may be called. A tenant writes them, so they must not lead into our own networks (SSRF)."""

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
MAX_URL = 1000
PORTS = {"https": 443, "http": 80}
# IPv6 addresses that carry an IPv4 address, and the bit where it begins: the inner one is looked at as well
_CARRIERS = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),  # mapped
    (ipaddress.IPv6Network("::/96"), 0),  # compatible
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),  # translated (SIIT)
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (ipaddress.IPv6Network("2002::/16"), 80),  # 6to4
)

# what Python's `is_global`, of whatever release, leaves out: protocol assignments, relays, documentation
_SPECIAL = [
    ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20")
]
_UNICAST = ipaddress.IPv6Network("2000::/3")


class AddressRefused(Exception):
    """The host's address is none that may be called."""


def parse(url: str) -> SplitResult:
    """Return the parts of an address that a webhook may have. Raises ValueError with a code: url, https, credentials, address.

    A name is not resolved here: what it leads to is looked at before each call.
    """
    if len(url) > MAX_URL or not url.isascii() or any(char.isspace() or ord(char) < 33 for char in url):
        raise ValueError("url")
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("url") from None
    if parts.scheme not in PORTS or not host or parts.fragment or port == 0:
        raise ValueError("url")
    if parts.scheme == "http" and not settings.WEBHOOK_ALLOW_HTTP:
        raise ValueError("https")
    if parts.username is not None or parts.password is not None:
        raise ValueError("credentials")
    literal = _literal(host)
    if literal is not None and not is_allowed(literal):
        raise ValueError("address")
    return parts


def resolve(host: str, port: int) -> list[str]:
    """Return the host's addresses, each of which may be connected to.

    Raises OSError if it has none, and AddressRefused if one of them may not be called: then something is wrong with all.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        parsed = _literal(address)
        if parsed is None or not is_allowed(parsed):
            raise AddressRefused(address)
    return addresses


def is_allowed(address: IPAddress) -> bool:
    """Say whether an address is on the public Internet, or in a network that the settings allow."""
    if any(address in network for network in settings.WEBHOOK_ALLOWED_NETWORKS):
        return True
    inner = _carried(address)
    if inner is not None:
        return is_allowed(inner)
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST:
        return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _SPECIAL)


def _carried(address: IPAddress) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv6Address):
        for network, shift in _CARRIERS:
            if address in network:
                return ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
    return None


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
