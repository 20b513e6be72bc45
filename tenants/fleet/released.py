"""The migrations of the last release: they have run, and what they did is nobody's concern any more."""

from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from tenants.fleet.safety import Hazard, find_hazards

RELEASED = Path(settings.BASE_DIR) / "plexica" / "released_migrations.txt"
HEADING = "# Migrations of the last release, written by `manage.py check_migrations --release`.\n"


def read_released() -> set[str]:
    """Return the names, `app.migration`."""
    lines = RELEASED.read_text(encoding="utf-8").splitlines()
    return {line.partition("#")[0].strip() for line in lines} - {""}


def write_released() -> int:
    """Write down every migration that this code has tables for; return how many."""
    names = sorted(f"{app}.{name}" for app, name in _loader().graph.nodes if app in _labels())
    RELEASED.write_text(HEADING + "".join(f"{name}\n" for name in names), encoding="utf-8")
    return len(names)


def find_new_hazards() -> list[Hazard]:
    """Return the hazards of all migrations behind the last release, those of libraries too."""
    loader, released = _loader(), read_released()
    state, made, hazards = ProjectState(real_apps=loader.unmigrated_apps), set[str](), list[Hazard]()
    seen = set[tuple[str, str]]()
    for leaf in loader.graph.leaf_nodes():
        for key in loader.graph.forwards_plan(leaf):
            if key in seen:
                continue
            seen.add(key)
            migration = loader.graph.nodes[key]
            if key[0] in _labels() and f"{key[0]}.{key[1]}" not in released:
                hazards += find_hazards(migration, state, made)
            state = migration.mutate_state(state, preserve=False)
    return hazards


def _loader() -> MigrationLoader:
    return MigrationLoader(None, ignore_no_migrations=True)


def _labels() -> set[str]:
    """Return the apps that have tables here: the others' migrations run nowhere."""
    wanted = {*settings.SHARED_APPS, *settings.TENANT_APPS}
    return {config.label for config in apps.get_app_configs() if config.name in wanted}
