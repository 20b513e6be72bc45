# ruff: noqa: S608 - queries are put together from constants of this module
"""Compares every tenant's schema with the template, in one query for each kind of thing over all schemas.

Each schema answers with a digest of what it has; the things themselves are read only where the digest differs from the
template's. Partitions of months are made for each tenant in its time and are left out, but for owner and rights.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import connections
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from core.tenancy import TenantRef
from core.tenancy.names import APP_ROLE, OPS_ROLE, OWNER_ROLE, TEMPLATE_SCHEMA
from tenants.schemas.making import OPS

SEPARATOR: Final = "\x1f"
_NO_DATED_PARTITION = "NOT (c.relispartition AND c.relname ~ '_[0-9]{6,8}$')"

# each gives schema, table, name, definition without the schema's name
_KINDS: Final[dict[str, str]] = {
    "table": f"""
        SELECT n.nspname, c.relname, '', concat_ws(chr(31), c.relkind, c.relpersistence, c.relrowsecurity,
               c.relforcerowsecurity, coalesce(pg_get_partkeydef(c.oid), ''), coalesce(pg_get_expr(c.relpartbound, c.oid), ''),
               coalesce(parent.relname, ''), coalesce(c.reloptions::text, ''))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class parent ON parent.oid = i.inhparent
        WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p') AND {_NO_DATED_PARTITION}
    """,
    "column": f"""
        SELECT n.nspname, c.relname, a.attname, concat_ws(chr(31), format_type(a.atttypid, a.atttypmod),
               CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text ELSE '' END,
               a.attnotnull, a.attidentity, a.attgenerated,
               coalesce(replace(pg_get_expr(d.adbin, d.adrelid), n.nspname || '.', ''), ''))
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
          AND {_NO_DATED_PARTITION}
    """,
    "constraint": f"""
        SELECT n.nspname, c.relname, k.conname, replace(pg_get_constraintdef(k.oid), n.nspname || '.', '')
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%s) AND k.contype IN ('p', 'u', 'c', 'x', 'f') AND k.conparentid = 0
          AND NOT (c.relispartition AND NOT k.conislocal) AND {_NO_DATED_PARTITION}
    """,
    "index": f"""
        SELECT n.nspname, c.relname, x.relname, concat_ws(chr(31), i.indisvalid,
               replace(replace(pg_get_indexdef(i.indexrelid), n.nspname || '.', ''), ' ON ONLY ', ' ON '))
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid
        JOIN pg_class x ON x.oid = i.indexrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%s) AND {_NO_DATED_PARTITION} AND NOT x.relispartition
          AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
    """,
    "sequence": """
        SELECT n.nspname, '', c.relname, concat_ws(chr(31), s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax,
               s.seqcache, s.seqcycle)
        FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY(%s)
    """,
}
# each gives schema, kind, table, name, what was found; nothing of it should be there
_WRONG: Final = f"""
    SELECT n.nspname, 'owner', c.relname, c.relkind::text, c.relowner::regrole::text
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'S', 'v', 'm') AND c.relowner <> '{OWNER_ROLE}'::regrole
      AND NOT (c.relkind = 'S' AND EXISTS (
          SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('i', 'a')))
    UNION ALL SELECT nspname, 'owner', '', 'schema', nspowner::regrole::text FROM pg_namespace
    WHERE nspname = ANY(%(schemas)s) AND nspowner <> '{OWNER_ROLE}'::regrole
    UNION ALL SELECT n.nspname, 'object', '', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
           WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TYPE' END, c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('v', 'm', 'f', 'c')
    UNION ALL SELECT n.nspname, 'object', '', 'ROUTINE', p.oid::regprocedure::text
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ANY(%(schemas)s)
    UNION ALL SELECT n.nspname, 'object', '', CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, t.typname
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname = ANY(%(schemas)s) AND t.typrelid = 0 AND t.typelem = 0
    UNION ALL SELECT n.nspname, 'object', c.relname, 'TRIGGER', g.tgname
    FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(%(schemas)s) AND NOT g.tgisinternal
    UNION ALL SELECT n.nspname, 'object', c.relname, 'POLICY', y.polname
    FROM pg_policy y JOIN pg_class c ON c.oid = y.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(%(schemas)s)
    UNION ALL SELECT n.nspname, 'object', c.relname, 'RULE', r.rulename
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p')
"""
# rights as `grantee=PRIVILEGE,...` with the tenant's role as itself; the owner's own are left out
_RIGHTS: Final = """
    WITH wanted AS (SELECT unnest(%(schemas)s::text[]) AS schema, unnest(%(roles)s::text[]) AS role), held AS (
        SELECT n.nspname AS schema, c.relkind::text AS kind, c.relname AS name, '' AS part, x.*
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) x
        WHERE n.nspname = ANY(%(schemas)s) AND c.relkind IN ('r', 'p', 'S', 'v', 'm') AND x.grantee <> c.relowner
        UNION ALL SELECT n.nspname, 'column', c.relname, a.attname, x.*
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
             aclexplode(a.attacl) x
        WHERE n.nspname = ANY(%(schemas)s) AND a.attacl IS NOT NULL AND x.grantee <> c.relowner
        UNION ALL SELECT n.nspname, 'schema', '', '', x.* FROM pg_namespace n, aclexplode(n.nspacl) x
        WHERE n.nspname = ANY(%(schemas)s) AND x.grantee <> n.nspowner
        UNION ALL SELECT n.nspname, 'default', d.defaclobjtype::text, '', x.*
        FROM pg_default_acl d JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) x
        WHERE n.nspname = ANY(%(schemas)s) AND x.grantee <> d.defaclrole
    ), rights AS (
        SELECT schema, kind, name, part, grantee, string_agg(privilege_type, ', ' ORDER BY privilege_type) AS words
        FROM held GROUP BY 1, 2, 3, 4, 5
    ), ours AS (
        SELECT schema, kind, name, part, CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS who, words
        FROM rights
    ), right_ones AS (
        SELECT w.schema, e.kind, e.name, '' AS part, quote_ident(w.role) AS who, e.words
        FROM wanted w, unnest(%(kinds)s::text[], %(names)s::text[], %(words)s::text[]) AS e(kind, name, words)
    )
    SELECT schema, kind, name, part, who, coalesce(o.words, ''), coalesce(r.words, '')
    FROM ours o FULL JOIN right_ones r USING (schema, kind, name, part, who)
    WHERE o.words IS DISTINCT FROM r.words
"""


@dataclass(frozen=True)
class Difference:
    """Something that a tenant has otherwise than the template. `found` or `wanted` is empty if it is missing there."""

    tenant: TenantRef
    kind: str
    table: str
    name: str
    found: str
    wanted: str

    def __str__(self) -> str:
        what = " ".join(
            part for part in (self.kind, ".".join(part for part in (self.table, self.name) if part)) if part
        ).replace(SEPARATOR, " ")
        if not self.found:
            return f"{what} is missing"
        if not self.wanted:
            return f"{what} does not belong there: {_shown(self.found)}"
        return f"{what} is {_shown(self.found)}, not {_shown(self.wanted)}"

    def as_json(self) -> dict[str, str]:
        """Return it as JSON values."""
        return {
            "tenant": self.tenant.slug,
            "kind": self.kind,
            "table": self.table,
            "name": self.name,
            "found": _shown(self.found),
            "wanted": _shown(self.wanted),
        }


def find_drift(refs: Iterable[TenantRef]) -> list[Difference]:
    """Return every difference between the tenants' schemas and the template's. Reads the catalogue alone, no rows."""
    by_schema = {ref.schema: ref for ref in refs}
    if not by_schema:
        return []
    with connections[OPS].cursor() as cursor:
        found = [one for kind in _KINDS for one in _compare(cursor, kind, by_schema)]
        found += _wrong(cursor, by_schema)
        found += _rights(cursor, by_schema)
    order = {schema: position for position, schema in enumerate(by_schema)}
    return sorted(found, key=lambda one: order[one.tenant.schema])


def _compare(cursor: CursorWrapper, kind: str, by_schema: dict[str, TenantRef]) -> Iterator[Difference]:
    digests = _digests(cursor, kind, [TEMPLATE_SCHEMA, *by_schema])
    right = digests.get(TEMPLATE_SCHEMA)
    drifted = [schema for schema in by_schema if digests.get(schema) != right]
    if not drifted:
        return
    cursor.execute(_KINDS[kind], [[TEMPLATE_SCHEMA, *drifted]])
    things: dict[str, dict[tuple[str, str], str]] = {schema: {} for schema in (TEMPLATE_SCHEMA, *drifted)}
    for schema, table, name, definition in cursor.fetchall():
        things[schema][table, name] = definition
    wanted = things[TEMPLATE_SCHEMA]
    for schema in drifted:
        ours = things[schema]
        for table, name in sorted(wanted.keys() | ours.keys()):
            pair = ours.get((table, name), ""), wanted.get((table, name), "")
            if pair[0] != pair[1]:
                yield Difference(by_schema[schema], kind, table, name, *pair)


def _digests(cursor: CursorWrapper, kind: str, schemas: list[str]) -> dict[str, str]:
    query = (
        "SELECT schema, md5(string_agg(concat_ws(chr(30), tbl, name, definition), chr(29)"
        ' ORDER BY tbl COLLATE "C", name COLLATE "C"))'
        f" FROM ({_KINDS[kind]}) AS things(schema, tbl, name, definition) GROUP BY schema"
    )
    cursor.execute(query, [schemas])
    return dict(cursor.fetchall())


def _wrong(cursor: CursorWrapper, by_schema: dict[str, TenantRef]) -> list[Difference]:
    cursor.execute(_WRONG, {"schemas": list(by_schema)})
    return [
        Difference(by_schema[schema], kind, table, name, found, OWNER_ROLE if kind == "owner" else "")
        for schema, kind, table, name, found in cursor.fetchall()
    ]


def _rights(cursor: CursorWrapper, by_schema: dict[str, TenantRef]) -> list[Difference]:
    """Compare rights with what `tenants.schemas.making` gives."""
    kinds, names, words = zip(*_wanted_rights(cursor), strict=True)
    values = {
        "schemas": list(by_schema),
        "roles": [ref.role for ref in by_schema.values()],
        "kinds": list(kinds),
        "names": list(names),
        "words": list(words),
    }
    cursor.execute(_RIGHTS, values)
    return [
        Difference(by_schema[schema], f"right:{kind}", name, SEPARATOR.join((part, grantee)), found, wanted)
        for schema, kind, name, part, grantee, found, wanted in cursor.fetchall()
    ]


def _wanted_rights(cursor: CursorWrapper) -> Iterator[tuple[str, str, str]]:
    """Yield kind, name and rights of the tenant's role, for everything that the template has."""
    yield "schema", "", "USAGE"
    yield "default", "r", "DELETE, INSERT, SELECT, UPDATE"
    yield "default", "S", "USAGE"
    special = {
        **dict.fromkeys(settings.TENANT_INSERT_ONLY_TABLES, "INSERT, SELECT"),
        **dict.fromkeys(settings.TENANT_READ_ONLY_TABLES, "SELECT"),
        **dict.fromkeys((f"{table}_default" for table in settings.PARTITIONED_TABLES["tenant"]), ""),
    }
    cursor.execute(
        "SELECT relkind::text, relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p', 'S')",
        [TEMPLATE_SCHEMA],
    )
    for kind, name in cursor.fetchall():
        if words := "USAGE" if kind == "S" else special.get(name, "DELETE, INSERT, SELECT, UPDATE"):
            yield kind, name, words


def _shown(definition: str) -> str:
    return " ".join(part for part in definition.split(SEPARATOR) if part and part not in {"t", "f"})


def find_role_faults(refs: Iterable[TenantRef]) -> list[Difference]:
    """Return what is wrong with the tenants' roles: missing, too mighty, not px_app's to take on, in company, or abroad."""
    by_role = {ref.role: ref for ref in refs}
    return [*_role_faults(by_role), *_memberships(by_role), *_rights_abroad(by_role)]


def _rights_abroad(by_role: dict[str, TenantRef]) -> list[Difference]:
    """Return what the roles may touch or own outside of their own schemas. PUBLIC's rights are everybody's, not theirs."""
    with connections[OPS].cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT w.role, o.type, o.identity"
            " FROM unnest(%s::text[], %s::text[]) w(role, schema) JOIN pg_roles r ON r.rolname = w.role"
            " JOIN pg_namespace home ON home.nspname = w.schema"
            " JOIN pg_shdepend d ON d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid"
            " AND d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid"
            " LEFT JOIN pg_default_acl a ON d.classid = 'pg_default_acl'::regclass AND a.oid = d.objid,"
            " pg_identify_object(d.classid, d.objid, 0) o"
            " WHERE c.relnamespace IS DISTINCT FROM home.oid AND a.defaclnamespace IS DISTINCT FROM home.oid"
            " AND o.schema IS DISTINCT FROM w.schema AND NOT (d.classid = 'pg_namespace'::regclass AND d.objid = home.oid)"
            " ORDER BY 1, 2, 3",
            [list(by_role), [ref.schema for ref in by_role.values()]],
        )
        return [Difference(by_role[role], "abroad", "", kind, name, "") for role, kind, name in cursor.fetchall()]


def _memberships(by_role: dict[str, TenantRef]) -> list[Difference]:
    """Return roles that a tenant's role is in, and members of it beside px_app and its maker: their rights are shared."""
    with connections[OPS].cursor() as cursor:
        cursor.execute(
            "SELECT roleid::regrole::text, member::regrole::text, grantor::regrole::text, w.role"
            " FROM unnest(%s::text[]) w(role) JOIN pg_roles r ON r.rolname = w.role"
            " JOIN pg_auth_members m ON m.member = r.oid OR m.roleid = r.oid AND m.member <> ALL(%s::regrole[])"
            " ORDER BY 1, 2",
            [list(by_role), [APP_ROLE, OPS_ROLE]],
        )
        return [
            Difference(by_role[ours], "member", "", SEPARATOR.join((group, grantor)), member, "")
            for group, member, grantor, ours in cursor.fetchall()
        ]


def _role_faults(by_role: dict[str, TenantRef]) -> list[Difference]:
    with connections[OPS].cursor() as cursor:
        cursor.execute(
            "SELECT w.role, CASE WHEN r.oid IS NULL THEN 'missing'"
            " WHEN r.rolcanlogin OR r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb THEN 'too mighty'"
            " WHEN m.roleid IS NULL OR NOT m.set_option OR m.inherit_option THEN 'membership' END"
            " FROM unnest(%s::text[]) w(role) LEFT JOIN pg_roles r ON r.rolname = w.role"
            " LEFT JOIN pg_auth_members m ON m.roleid = r.oid AND m.member = %s::regrole",
            [list(by_role), APP_ROLE],
        )
        return [
            Difference(
                by_role[role], "role", "", role, "" if fault == "missing" else fault, "NOLOGIN, for px_app to set"
            )
            for role, fault in cursor.fetchall()
            if fault
        ]


def quoted(name: str) -> str:
    """Return a name as SQL wants it."""
    return sql.Identifier(name).as_string(None)
