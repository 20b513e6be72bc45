"""TCP ports of this machine."""

import random
import socket
from collections.abc import Collection

# Below the range that systems use for outgoing connections: a port there may be taken at any moment.
RANGE = range(20_000, 30_000)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that just ended do not count
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose(names: tuple[str, ...], *, besides: Collection[int] = ()) -> dict[str, int]:
    """Free ports, one for each name, drawn at random so that two checkouts hardly ever meet; none of `besides`."""
    drawn = random.SystemRandom()
    chosen: dict[str, int] = {}
    while len(chosen) < len(names):
        port = drawn.choice(RANGE)
        if port not in {*besides, *chosen.values()} and is_free(port):
            chosen[names[len(chosen)]] = port
    return chosen
