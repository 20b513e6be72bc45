"""Processes and commands load what they need: a start is most of the time that a command takes."""

import json
import subprocess
import sys

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.commands.migrate import Command as MigrateCommand

from core.commands import PlatformCommand
from plexica.settings.environment import BASE_DIR

ROOMS = ("accounts", "archives", "core", "events", "storage", "superadmin", "tenants", "workspace")
COMMANDS = {name: app for name, app in get_commands().items() if app.partition(".")[0] in ROOMS}
# what takes long to load, and is only needed by pages, by workers, or by who calls somebody over HTTP
HEAVY = {
    "boto3",
    "celery",
    "prometheus_client",
    "redis",
    "requests",
    "rest_framework.serializers",
    "superadmin.urls",
    "workspace.urls",
}
PROGRAM = """
import json, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "plexica.settings"
import django
from django.core.management import get_commands, load_command_class
django.setup()
for name in sys.argv[1:]:
    load_command_class(get_commands()[name], name)
print(json.dumps(list(sys.modules)))
"""


@pytest.mark.parametrize(
    "command", [None, "fleet_status", "migrate_fleet", "migrate", "suspend_tenant", "relay_events", "run_in_tenant"]
)
def test_a_start_loads_nothing_heavy_that_it_does_not_need(command):
    words = [command] if command else []

    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], cwd=BASE_DIR, capture_output=True, text=True, check=True
    )

    assert HEAVY & set(json.loads(said.stdout)) == set()


def test_the_heavy_ones_are_called_what_they_were_called():
    program = (
        "import sys, plexica.wsgi\nfrom plexica import urls_platform, urls_tenant\n"
        f"from storage.adapters.s3 import clients\nprint({HEAVY!r} - set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=BASE_DIR, capture_output=True, text=True, check=True)

    assert said.stdout.split() == ["set()"]


def test_a_command_does_not_look_through_what_it_loaded_as_it_ends():
    program = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_freeze_count(), gc.isenabled()))\n"
        "import manage\nmanage.main()"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, "fleet_status", "--json"],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    count, enabled = said.stdout.splitlines()[-1].split()
    assert int(count) > 50_000
    assert enabled == "True"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_no_command_of_ours_runs_the_checks_of_the_code_first(name):
    command = load_command_class(COMMANDS[name], name)

    assert isinstance(command, PlatformCommand | MigrateCommand)
    assert command.requires_system_checks != "__all__"
