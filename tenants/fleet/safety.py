"""Names migrations that lock tables for long or break the code that is still running while they run.

It looks at a migration's operations and the models before it; no database is needed. Who knows what they do says so in
the migration:

    class Migration(migrations.Migration):
        accepted_downtime = "people_person has at most 200 rows, and no released code reads `nickname`"
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connections, migrations, models
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from tenants.fleet.plans import Plan
from tenants.schemas.making import OPS


@dataclass(frozen=True)
class Hazard:
    """One operation, what it does to a tenant that is in use, and what to do instead."""

    migration: str
    operation: str
    danger: str
    instead: str
    accepted: str = ""  # the author's reason, if they know

    def __str__(self) -> str:
        known = f" (known: {self.accepted})" if self.accepted else f" Instead: {self.instead}."
        return f"{self.migration}: {self.operation}. {self.danger}.{known}"

    def as_json(self) -> dict[str, str]:
        """Return it as JSON values."""
        return asdict(self)


OLD_CODE_READS = "Code that is still running reads it and fails"
STOP_USING_FIRST = "release code that does not use it, and remove it in the release after that"
BLOCKS_WRITES = "Nobody can write to the table until the whole of it was read"

_SQL_DANGERS = (
    (r"\bDROP\s+(TABLE|COLUMN)\b", OLD_CODE_READS, STOP_USING_FIRST),
    (r"\bRENAME\s+(TO|COLUMN|CONSTRAINT)?\b", OLD_CODE_READS, "add the new name, copy, and remove the old one later"),
    (r"\bSET\s+NOT\s+NULL\b", BLOCKS_WRITES, "add CHECK (... IS NOT NULL) NOT VALID, validate it, then set it"),
    (
        r"\bALTER\s+(COLUMN\s+)?\S+\s+(SET\s+DATA\s+)?TYPE\b",
        "The table is written anew under a lock",
        "add a new column",
    ),
    (
        r"\bCREATE\s+(UNIQUE\s+)?INDEX\s+(?!CONCURRENTLY)",
        BLOCKS_WRITES,
        "CREATE INDEX CONCURRENTLY in `atomic = False`",
    ),
    (
        r"\bADD\s+CONSTRAINT\b(?!.*\bNOT\s+VALID\b)",
        BLOCKS_WRITES,
        "add it NOT VALID and validate it in another migration",
    ),
    (
        r"\b(CLUSTER|VACUUM\s+FULL|TRUNCATE|LOCK\s+TABLE)\b",
        "The table is locked against everybody",
        "work in small parts",
    ),
)


QUOTE = '"'
_TARGET = re.compile(r"\b(?:ALTER\s+TABLE|DROP\s+TABLE|ON)\s+(?:ONLY\s+|IF\s+EXISTS\s+)*(\S+)", re.IGNORECASE)


def hazards_of_plan(plan: Plan) -> list[Hazard]:
    """Return the hazards of what a group lacks; tables that the plan itself makes are in nobody's use."""
    hazards, made = [], set[str]()
    for segment in plan.segments:
        state = segment.state
        for migration in segment.migrations:
            hazards += find_hazards(migration, state, made)
            state = migration.mutate_state(state)
    return hazards


def find_hazards(migration: Migration, before: ProjectState, made: set[str]) -> list[Hazard]:
    """Return the hazards of one migration. `made` holds the models that nobody uses yet, and gets new ones."""
    accepted = str(getattr(migration, "accepted_downtime", "")).strip()
    state = before.clone()
    hazards = []
    for operation in migration.operations:
        for danger, instead in _look(operation, migration.app_label, state, made):
            named = Hazard(f"{migration.app_label}.{migration.name}", operation.describe(), danger, instead, accepted)
            hazards.append(named)
        operation.state_forwards(migration.app_label, state)
    return hazards


def _look(operation: Operation, app: str, state: ProjectState, made: set[str]) -> Iterator[tuple[str, str]]:
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        for part in operation.database_operations:
            yield from _look(part, app, state, made)
            part.state_forwards(app, state := state.clone())
    elif isinstance(operation, migrations.CreateModel):
        made.add(f"{app}.{operation.name_lower}")
    elif isinstance(operation, migrations.RunSQL):
        yield from _look_at_sql(operation.sql, made)
    elif f"{app}.{_model_of(operation)}" not in made:
        yield from _look_at_change(operation, app, state)


def _model_of(operation: Operation) -> str:
    for attribute in ("model_name_lower", "model_name", "old_name_lower", "name_lower", "name"):
        if isinstance(name := getattr(operation, attribute, None), str):
            return name.lower()
    return ""


def _look_at_sql(statements: Any, made: set[str]) -> Iterator[tuple[str, str]]:
    parts = (
        [statements] if isinstance(statements, str) else [one if isinstance(one, str) else one[0] for one in statements]
    )
    for text in (one for part in parts for one in str(part).split(";")):
        if new := re.search(r"\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\S+)", text, re.IGNORECASE):
            made.add(_sql_name(new))
            continue
        if (table := _TARGET.search(text)) and _sql_name(table) in made:
            continue
        for pattern, danger, instead in _SQL_DANGERS:
            if re.search(pattern, text, re.IGNORECASE | re.DOTALL):
                yield danger, instead


def _sql_name(found: re.Match[str]) -> str:
    return f"table {found.group(1).partition('(')[0].strip(QUOTE).lower()}"


def _look_at_change(operation: Operation, app: str, state: ProjectState) -> Iterator[tuple[str, str]]:
    match operation:
        case migrations.AlterModelTable():
            if operation.table != state.models[app, operation.name_lower].options.get("db_table"):
                yield OLD_CODE_READS, "leave the table's name as it is"
        case migrations.AddField():
            yield from _look_at_new_column(operation.field)
        case migrations.AlterField():
            old = state.models[app, operation.model_name_lower].fields[operation.name]
            yield from _look_at_altered_column(old, operation.field)
        case migrations.AddConstraint() if _is_checked_at_once(operation):
            yield BLOCKS_WRITES, "AddConstraintNotValid, and ValidateConstraint in another migration"
        case _ if type(operation) in _ALWAYS:
            yield _ALWAYS[type(operation)]


def _is_checked_at_once(operation: migrations.AddConstraint) -> bool:
    """AddConstraintNotValid is one of them, too."""
    return type(operation) is migrations.AddConstraint and isinstance(operation.constraint, models.CheckConstraint)


_ALWAYS: dict[type[Operation], tuple[str, str]] = {
    migrations.DeleteModel: (OLD_CODE_READS, STOP_USING_FIRST),
    migrations.RemoveField: (OLD_CODE_READS, STOP_USING_FIRST),
    migrations.RenameModel: (OLD_CODE_READS, "keep the table's name with db_table"),
    migrations.RenameField: (OLD_CODE_READS, "keep the column's name with db_column"),
    migrations.AddIndex: (BLOCKS_WRITES, "AddIndexConcurrently in a migration with `atomic = False`"),
    migrations.AddConstraint: (BLOCKS_WRITES, "make the unique index CONCURRENTLY with RunSQL and attach it"),
    migrations.AlterUniqueTogether: (BLOCKS_WRITES, "name constraints in Meta, and make their indexes concurrently"),
    migrations.AlterOrderWithRespectTo: (
        "Code that is still running inserts rows without `_order` and fails",
        "a column of your own with a db_default",
    ),
    migrations.AlterIndexTogether: (BLOCKS_WRITES, "name indexes in Meta, and make them concurrently"),
}


def _look_at_new_column(column: "models.Field[Any, Any]") -> Iterator[tuple[str, str]]:
    if column.many_to_many:
        return
    has_database_default = column.has_db_default() or column.generated
    if not column.null and not has_database_default:
        yield (
            "Code that is still running inserts rows without the column and fails: Django takes its `default` away again",
            "db_default, or null=True until no old code runs",
        )
    if column.generated or (isinstance(column.db_default, models.Func)):
        yield "The table is written anew under a lock", "null=True, and fill it in small parts"
    yield from _look_at_indexes_of(None, column)


def _look_at_altered_column(old: "models.Field[Any, Any]", new: "models.Field[Any, Any]") -> Iterator[tuple[str, str]]:
    if old.null and not new.null:
        yield BLOCKS_WRITES, "a check constraint NOT VALID, validate it, then this: PostgreSQL then reads nothing"
    if _is_rewrite(_type_of(old), _type_of(new)):
        yield "The table is written anew under a lock, and running code meets another type", "add a new column"
    if old.db_column != new.db_column:
        yield OLD_CODE_READS, "leave the column's name as it is"
    yield from _look_at_indexes_of(old, new)


def _look_at_indexes_of(
    old: "models.Field[Any, Any] | None", new: "models.Field[Any, Any]"
) -> Iterator[tuple[str, str]]:
    if _has_index(new) and not (old is not None and _has_index(old)):
        yield BLOCKS_WRITES, "an index in Meta, made by AddIndexConcurrently"


def _has_index(column: Any) -> bool:
    return bool(column.db_index or column.unique)


def _type_of(column: "models.Field[Any, Any]") -> str:
    try:
        return str(column.db_type(connections[OPS]) or "")
    except (AttributeError, ValueError, LookupError):  # a relation whose other side is only named
        return type(column).__name__


def _is_rewrite(old: str, new: str) -> bool:
    if new == old:
        return False
    sizes = [re.fullmatch(r"varchar(?:\((\d+)\))?|text", kind) for kind in (old, new)]
    if not (sizes[0] and sizes[1]):
        return True
    before, after = (float(size.group(1) or "inf") for size in sizes if size)
    return after < before
