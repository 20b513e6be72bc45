"""The servers that the stack knows, in the order in which they are shown."""

from deploy.embedded.files import Secrets
from deploy.embedded.paths import Tree
from deploy.embedded.servers.base import Server
from deploy.embedded.servers.kafka import Kafka
from deploy.embedded.servers.keycloak import Keycloak, SecondKeycloak
from deploy.embedded.servers.postgres import Postgres
from deploy.embedded.servers.s3 import S3
from deploy.embedded.servers.valkey import Valkey

KINDS: dict[str, type[Server]] = {kind.name: kind for kind in (Postgres, Valkey, S3, Keycloak, SecondKeycloak, Kafka)}
USUAL = ("postgres", "valkey", "s3")
KEYCLOAKS = ("keycloak", "keycloak-2")


def make_server(name: str, tree: Tree, ports: dict[str, dict[str, int]], secrets: Secrets) -> Server:
    """The server of this name in this checkout; `ports` holds those of every server it needs too."""
    kind = KINDS[name]
    if issubclass(kind, Keycloak):
        return kind(tree, ports[name], secrets, postgres=Postgres(tree, ports[Postgres.name], secrets))
    return kind(tree, ports[name], secrets)
