"""What a group of tenants lacks, cut into segments that are run in one way each.

replay    plain DDL. The group's first tenant runs it through Django while its SQL is written down; all others get
          that text in one round trip. (Django looks into the schema for names of constraints, so the text can only be
          had from a schema in the right state.)
django    anything with Python in it, in each tenant through Django's own code
stepwise  `atomic = False`, such as CREATE INDEX CONCURRENTLY: one statement after the other
"""

import re
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from django.contrib.postgres import operations as postgres
from django.db import connections, migrations
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from core.tenancy.names import TEMPLATE_SCHEMA
from core.tenancy.router import tenant_labels
from tenants.fleet.states import Group, MigrationKey, read_applied
from tenants.schemas.making import OPS

Kind = Literal["replay", "django", "stepwise"]
_TABLE = re.compile(r'\b(?:TABLE|ON|REFERENCES)\s+(?:ONLY\s+|IF EXISTS\s+)*("[^"]+"|[a-z_][a-z0-9_]*)', re.IGNORECASE)
_MAKES_TABLE = re.compile(r"\bCREATE\s+TABLE\b", re.IGNORECASE)
# What is known to be the same SQL in every schema. Operations of others might look into rows.
PLAIN = (
    migrations.AddConstraint,
    migrations.AddField,
    migrations.AddIndex,
    migrations.AlterField,
    migrations.AlterIndexTogether,
    migrations.AlterModelManagers,
    migrations.AlterModelOptions,
    migrations.AlterModelTable,
    migrations.AlterModelTableComment,
    migrations.AlterOrderWithRespectTo,
    migrations.AlterUniqueTogether,
    migrations.CreateModel,
    migrations.DeleteModel,
    migrations.RemoveConstraint,
    migrations.RemoveField,
    migrations.RemoveIndex,
    migrations.RenameField,
    migrations.RenameIndex,
    migrations.RenameModel,
    migrations.RunSQL,
    migrations.SeparateDatabaseAndState,
    postgres.AddConstraintNotValid,
    postgres.AddIndexConcurrently,
    postgres.RemoveIndexConcurrently,
    postgres.ValidateConstraint,
)


@dataclass(frozen=True)
class Script:
    """Statements that are sent together, and what they say of themselves; made once for all tenants of a group."""

    statements: tuple[str, ...]

    @cached_property
    def text(self) -> str:
        """Each ends on a line of its own: a statement may end in a comment."""
        return "".join(f"{statement}\n;\n" for statement in self.statements)

    @cached_property
    def table_count(self) -> int:
        """How many tables the statements name."""
        return len({name for statement in self.statements for name in _TABLE.findall(statement)})

    @cached_property
    def makes_table(self) -> bool:
        """Whether new tables need rights."""
        return any(_MAKES_TABLE.search(statement) for statement in self.statements)


@dataclass
class Segment:
    """Migrations that are run together: several in a row of plain DDL, or one of another kind."""

    kind: Kind
    migrations: list[Migration]
    state: ProjectState  # before the first of them
    records: list[MigrationKey]  # rows of django_migrations
    script: Script | None = None  # None until somebody has run it
    writing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def table_count(self) -> int:
        """How many tables its operations name, for sharing out the time to wait for locks."""
        operations = [operation for migration in self.migrations for operation in migration.operations]
        names = {getattr(operation, "model_name", getattr(operation, "name", "")) for operation in operations}
        return max(1, len(names))

    @property
    def keys(self) -> list[MigrationKey]:
        """The migrations' names."""
        return [(migration.app_label, migration.name) for migration in self.migrations]

    def near_state(self) -> ProjectState:
        """Return the models that plain DDL can touch: to render all takes longer than to run it.

        These are the models of the migrations' apps and of those they depend on, and all that hang on them by relations.
        """
        labels = {label for one in self.migrations for label in (one.app_label, *(app for app, _ in one.dependencies))}
        neighbours: dict[MigrationKey, set[MigrationKey]] = defaultdict(set)
        for key, others in self.state.relations.items():
            for other in others:
                neighbours[key].add(other)
                neighbours[other].add(key)
        near: set[MigrationKey] = set()
        found = [key for key in self.state.models if key[0] in labels]
        while found:
            key = found.pop()
            if key not in near:
                near.add(key)
                found += neighbours[key]
        models = {key: model.clone() for key, model in self.state.models.items() if key in near}
        return ProjectState(models, self.state.real_apps)


@dataclass
class Plan:
    """What a group lacks."""

    group: Group
    segments: list[Segment]

    @property
    def keys(self) -> list[MigrationKey]:
        """The migrations' names, in order."""
        return [key for segment in self.segments for key in segment.keys]

    @property
    def names(self) -> list[str]:
        """The same for people."""
        return [f"{app}.{name}" for app, name in self.keys]


def make_plans(groups: list[Group]) -> list[Plan]:
    """Return the plans of the groups that lack something. Who has what the template has lacks nothing."""
    with connections[OPS].cursor() as cursor:
        complete = read_applied(cursor, TEMPLATE_SCHEMA)
    return [plan for group in groups if group.applied != complete and (plan := make_plan(group)).segments]


def make_plan(group: Group) -> Plan:
    """Return what the group's tenants lack; its segments are empty if that is nothing.

    Raises InconsistentMigrationHistory like Django's own `migrate`.
    """
    planner = _Planner(group.applied)
    planner.loader.check_history()
    targets = [node for node in planner.loader.graph.leaf_nodes() if node[0] in tenant_labels()]
    missing = [migration for migration, _ in planner.migration_plan(targets)]
    squashed = _squashed(planner, missing, group.applied)
    if not missing and not squashed:
        return Plan(group, [])
    state = _state_of(planner)
    segments = _cut(missing, state)
    if squashed:
        segments.append(Segment("replay", [], state, squashed, Script(())))
    return Plan(group, segments)


class _Loader(MigrationLoader):
    """Django's loader, told what is applied.

    Left to ask, it lists all tables first, twice: with hundreds of schemas that takes longer than the planning.
    """

    def __init__(self, applied: frozenset[MigrationKey]) -> None:
        self._applied: dict[MigrationKey, Any] = dict.fromkeys(applied)
        super().__init__(None)

    @property
    def applied_migrations(self) -> dict[MigrationKey, Any]:
        return self._applied

    @applied_migrations.setter
    def applied_migrations(self, value: object) -> None:
        """Without a connection Django believes that nothing is applied."""

    def check_history(self) -> None:
        """Raise InconsistentMigrationHistory if something is applied before what it depends on."""
        for key in [key for key in self._applied if key in self.graph.nodes]:
            for parent in self.graph.node_map[key].parents:
                if parent.key not in self._applied:
                    before = ".".join(parent.key)
                    raise InconsistentMigrationHistory(f"{'.'.join(key)} is applied before its dependency {before}")


class _Planner(MigrationExecutor):
    """Django's order of migrations, without a connection: it never runs one."""

    loader: _Loader

    def __init__(self, applied: frozenset[MigrationKey]) -> None:
        self.loader = _Loader(applied)


def _squashed(planner: _Planner, missing: list[Migration], applied: frozenset[MigrationKey]) -> list[MigrationKey]:
    """Return squashed migrations all of whose parts are applied (or about to be) and that only lack their row."""
    coming = {(migration.app_label, migration.name) for migration in missing}
    return [
        key
        for key, migration in planner.loader.replacements.items()
        if key[0] in tenant_labels() and key not in applied | coming and applied | coming >= set(migration.replaces)
    ]


def _state_of(planner: _Planner) -> ProjectState:
    """Return the models as the applied migrations left them."""
    graph = planner.loader.graph
    state = ProjectState(real_apps=planner.loader.unmigrated_apps)
    nodes = {graph.nodes[key] for key in planner.loader.applied_migrations if key in graph.nodes}
    for migration, _ in planner.migration_plan(graph.leaf_nodes(), clean_start=True):
        if migration in nodes:
            state = migration.mutate_state(state, preserve=False)
    return state


def _cut(missing: list[Migration], state: ProjectState) -> list[Segment]:
    segments: list[Segment] = []
    for migration in missing:
        kind = kind_of(migration)
        if not segments or kind != "replay" or segments[-1].kind != "replay":  # others stand alone
            segments.append(Segment(kind, [], state.clone(), []))
        segments[-1].migrations.append(migration)
        segments[-1].records += [*migration.replaces, (migration.app_label, migration.name)]
        state = migration.mutate_state(state)
    return segments


def kind_of(migration: Migration) -> Kind:
    """Say how a migration can be run in many schemas."""
    if not all(map(_is_plain, migration.operations)):
        return "django"
    return "replay" if migration.atomic else "stepwise"


def _is_plain(operation: Operation) -> bool:
    if type(operation) not in PLAIN or not operation.reduces_to_sql:
        return False
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        return all(map(_is_plain, operation.database_operations))
    if isinstance(operation, migrations.AddField | migrations.AlterField):
        return _has_one_default(operation.field)
    return True


def _has_one_default(column: Any) -> bool:
    """Say whether every tenant may get the same default: a callable may make a secret or an id."""
    if not column.has_default() or not callable(column.default):
        return True
    return bool(column.default() == column.default())
