"""Options of `bin/demo` and `bin/test`. Standard library alone: they are read before anything is installed."""

import argparse
import ipaddress
from collections.abc import Callable, Sequence

DEMO_EPILOG = """\
The first start takes a few minutes (packages are downloaded), later ones some seconds. Nothing is written outside
this folder but the download caches of pip, uv and npm. Logs: var/demo/logs and var/stack/logs. Ctrl-C ends
everything; data stay.
"""
TEST_EPILOG = """\
PATH and other words go to pytest as they are, for example: bin/test tests/tenants -k suspend

Without any, the whole suite runs in three processes, and coverage is measured. The servers (PostgreSQL, Valkey, S3)
keep running for the next time, unless CI=true or --down. Browser tests need Chromium, tests through a
pooler PgBouncer: PLEXICA_CHROMIUM and PLEXICA_PGBOUNCER name them. Without one, its tests are left out, said so loudly.
"""


def parse_demo(argv: Sequence[str]) -> argparse.Namespace:
    """Adds `bind`, the address to listen at, and `name`, the host name of the platform's address."""
    parser = argparse.ArgumentParser(
        prog="bin/demo",
        description="Runs a whole Plexica with three tenants on this machine.",
        epilog=DEMO_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host", default="localhost", help="where to listen: localhost (default), NAME.localhost, or 0.0.0.0"
    )
    parser.add_argument("--port", type=int, default=8000, help="port of the platform (8000)")
    parser.add_argument("--reset", action="store_true", help="begin anew: end what runs here, delete its data")
    parser.add_argument(
        "--keycloak",
        action="store_true",
        help="realms in a real Keycloak instead of the built-in issuer; what is there moves",
    )
    parser.add_argument("--kafka", action="store_true", help="events over a real Kafka instead of Valkey")
    arguments = parser.parse_args(argv)
    if not 0 < arguments.port < 65536:
        parser.error("--port is a number from 1 to 65535")
    try:
        arguments.bind, arguments.name = resolve_host(arguments.host)
    except ValueError as error:
        parser.error(str(error))
    return arguments


def resolve_host(host: str) -> tuple[str, str]:
    """The address to listen at and the name that the platform's address carries.

    Tenants live at `<slug>.<name>`, which no number can carry, and plain http is for localhost names alone: so all
    addresses (0.0.0.0) and loopback keep `localhost`. Raises ValueError for anything else.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return "127.0.0.1", host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address and (address.is_unspecified or address.is_loopback):
        return host, "localhost"
    raise ValueError(
        f"--host {host}: sign-in over plain http works at localhost names alone, as tenants live at names below the"
        " platform's. Give localhost, a name that ends with .localhost, or 0.0.0.0 to listen at every address"
    )


def port_taken(port: int) -> str:
    return f"Port {port} is taken by another program. End it, or choose another one: bin/demo --port {port + 1}"


def parse_test(argv: Sequence[str]) -> argparse.Namespace:
    """What is not ours stands in `rest`, for pytest."""
    parser = argparse.ArgumentParser(
        prog="bin/test",
        usage="bin/test [--help] [--down] [PATH...] [OPTIONS OF PYTEST]",
        description="Sets up what the tests need, and runs them.",
        epilog=TEST_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--down", action="store_true", help="stop the servers at the end")
    arguments, rest = parser.parse_known_args(argv)
    arguments.rest = rest
    return arguments


PARSERS: dict[str, Callable[[Sequence[str]], argparse.Namespace]] = {
    "deploy.embedded.demo": parse_demo,
    "deploy.embedded.testing": parse_test,
}
