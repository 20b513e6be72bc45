"""PostgreSQL: the app's login, and the operations login where a process is given one."""

from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import Field, field_validator

from core.tenancy.names import OWNER_ROLE
from plexica.settings.environment import Environment, check_port, load


class Database(Environment):
    database_url: str = Field(description="postgresql://px_app:...@host:port/name, every process")
    database_ops_url: str = Field(
        "", description="postgresql://px_ops:..., operations worker, and commands of manage.py that work on schemas"
    )
    database_admin_url: str = Field("", description="A superuser, only for manage.py setup_database")
    database_pool_max: int = Field(
        16, ge=1, description="Connections a process keeps at most; at least its threads plus two"
    )
    database_transaction_pooling: bool = Field(False, description="database_url leads to PgBouncer in transaction mode")

    @field_validator("database_url", "database_ops_url", "database_admin_url")
    @classmethod
    def _is_postgresql(cls, value: str) -> str:
        if value and not (value.startswith(("postgresql://", "postgres://")) and urlsplit(value).path.strip("/")):
            raise ValueError("must look like postgresql://user:password@host:port/name")
        check_port(urlsplit(value))
        return value


_database = load(Database)
DATABASE_ADMIN_URL = _database.database_admin_url
DATABASE_TRANSACTION_POOLING = _database.database_transaction_pooling

# A PostgreSQL backend keeps 60 to 130 KB for each tenant it has visited, for good. So the pool ends a connection after 10
# minutes, and after 600 tenants (up to some 80 MB): what the server's memory must hold does not grow with the fleet.
# A thread takes one connection while it works; the issuer's in-process answers need another: hence threads plus two.
# Who gets none within 8 s is told so (503): PostgreSQL is away, or far too much is asked of it.
_POOL = {"min_size": 1, "max_size": _database.database_pool_max, "max_lifetime": 600, "max_idle": 120, "timeout": 8}


def _connection(url: str, *, tenancy: dict[str, object], pool: dict[str, int] | None) -> dict[str, object]:
    parts = urlsplit(url)
    return {
        "ENGINE": "core.tenancy.backend",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False,  # the backend greets each connection from the pool, which tells whether it lives
        # without a session there is no cursor that outlives its transaction
        "DISABLE_SERVER_SIDE_CURSORS": bool(tenancy.get("transaction_pooling")),
        "OPTIONS": {
            "options": "-c TimeZone=UTC",  # a pooler leaves it aside: `setup_database` gives it to the logins too
            "connect_timeout": 5,
            **dict(parse_qsl(parts.query)),
            **({"pool": pool} if pool else {}),
        },
        "TENANCY": tenancy,
    }


DATABASES: dict[str, dict[str, object]] = {
    "default": _connection(
        _database.database_url,
        tenancy={
            "transaction_pooling": _database.database_transaction_pooling,
            "paths_a_connection": 600,
        },
        pool=_POOL,
    ),
}
if _database.database_ops_url:
    DATABASES["ops"] = _connection(_database.database_ops_url, tenancy={"owner_role": OWNER_ROLE}, pool=None)

DATABASE_ROUTERS = ["core.tenancy.router.SchemaRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ORIGINAL_BACKEND = "django.db.backends.postgresql"
TENANT_LIMIT_SET_CALLS = True
