"""Which migrations disturb tenants that are in use, and how their author says that they know."""

import io
import json

import pytest
from django.contrib.postgres import operations as postgres
from django.core.management import CommandError, call_command
from django.db import migrations, models
from django.db.migrations.state import ProjectState

from tenants.fleet import released
from tenants.fleet.safety import BLOCKS_WRITES, OLD_CODE_READS, find_hazards
from tests.tenants.conftest import TREES

REWRITES = "The table is written anew under a lock, and running code meets another type"
INDEX = models.Index(fields=["name"], name="by_name")
DANGEROUS = {
    "a table removed": (migrations.DeleteModel("Thing"), OLD_CODE_READS),
    "a column removed": (migrations.RemoveField("thing", "name"), OLD_CODE_READS),
    "a table renamed": (migrations.RenameModel("Thing", "Object"), OLD_CODE_READS),
    "a column renamed": (migrations.RenameField("thing", "name", "title"), OLD_CODE_READS),
    "another table's name": (migrations.AlterModelTable("thing", "things"), OLD_CODE_READS),
    "not null": (
        migrations.AddField("thing", "size", models.IntegerField(default=3)),
        "Code that is still running inserts",
    ),
    "a column with an index": (
        migrations.AddField("thing", "size", models.IntegerField(null=True, unique=True)),
        BLOCKS_WRITES,
    ),
    "null no more": (migrations.AlterField("thing", "note", models.TextField()), BLOCKS_WRITES),
    "another type": (migrations.AlterField("thing", "count", models.BigIntegerField()), REWRITES),
    "a shorter text": (migrations.AlterField("thing", "name", models.CharField(max_length=5)), REWRITES),
    "a number made a text": (migrations.AlterField("thing", "count", models.TextField()), REWRITES),
    "a limit for a text": (migrations.AlterField("thing", "note", models.CharField(max_length=9, null=True)), REWRITES),
    "an order": (migrations.AlterOrderWithRespectTo("thing", "owner"), "Code that is still running inserts"),
    "an index": (migrations.AddIndex("thing", INDEX), BLOCKS_WRITES),
    "a check": (
        migrations.AddConstraint("thing", models.CheckConstraint(condition=models.Q(count=1), name="c")),
        BLOCKS_WRITES,
    ),
    "uniqueness": (
        migrations.AddConstraint("thing", models.UniqueConstraint(fields=["name"], name="u")),
        BLOCKS_WRITES,
    ),
    "SQL that drops": (migrations.RunSQL("ALTER TABLE shop_thing DROP COLUMN name"), OLD_CODE_READS),
    "SQL that makes an index": (migrations.RunSQL([("CREATE INDEX i ON shop_thing (name)", None)]), BLOCKS_WRITES),
    "inside": (migrations.SeparateDatabaseAndState([migrations.RemoveField("thing", "name")]), OLD_CODE_READS),
}
HARMLESS = {
    "a table": migrations.CreateModel("Other", [("id", models.BigAutoField(primary_key=True))]),
    "a column that may be null": migrations.AddField("thing", "size", models.IntegerField(null=True)),
    "a column with the database's default": migrations.AddField("thing", "size", models.IntegerField(db_default=3)),
    "a longer text": migrations.AlterField("thing", "name", models.CharField(max_length=50)),
    "text without a limit": migrations.AlterField("thing", "name", models.TextField()),
    "an index made concurrently": postgres.AddIndexConcurrently("thing", INDEX),
    "a check not validated": postgres.AddConstraintNotValid(
        "thing", models.CheckConstraint(condition=models.Q(count=1), name="c")
    ),
    "words for people": migrations.AlterField("thing", "name", models.CharField(max_length=20, help_text="x")),
    "SQL for a table of its own": migrations.RunSQL("CREATE TABLE own (a int); CREATE INDEX i ON own (a)"),
    "state alone": migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("thing", "name")]),
}


def before():
    first = migrations.Migration("0001_initial", "shop")
    fields = [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", models.CharField(max_length=20)),
        ("note", models.TextField(null=True)),
        ("count", models.IntegerField()),
    ]
    first.operations = [migrations.CreateModel("Thing", fields)]
    return first.mutate_state(ProjectState())


def hazards_of(*operations, **attributes):
    migration = migrations.Migration("0002_next", "shop")
    migration.operations = list(operations)
    for name, value in attributes.items():
        setattr(migration, name, value)
    return find_hazards(migration, before(), set())


@pytest.mark.parametrize("name", DANGEROUS)
def test_what_disturbs_is_named_with_what_to_do_instead(name):
    operation, danger = DANGEROUS[name]

    (hazard,) = hazards_of(operation)

    assert hazard.danger.startswith(danger)
    assert hazard.instead
    assert str(hazard).startswith("shop.0002_next: ")


@pytest.mark.parametrize("name", HARMLESS)
def test_what_does_not_disturb_is_not_named(name):
    assert hazards_of(HARMLESS[name]) == []


def test_a_table_that_the_same_plan_makes_is_in_nobodys_use():
    made = HARMLESS["a table"]

    assert (
        hazards_of(
            made,
            migrations.AddField("other", "size", models.IntegerField(default=1)),
            migrations.RemoveField("other", "size"),
        )
        == []
    )


def test_the_author_may_say_that_they_know():
    (hazard,) = hazards_of(DANGEROUS["an index"][0], accepted_downtime="a dozen rows")

    assert hazard.accepted == "a dozen rows"
    assert "known: a dozen rows" in str(hazard)


@pytest.fixture
def nothing_released(tmp_path, monkeypatch):
    path = tmp_path / "released.txt"
    path.write_text("", encoding="utf-8")
    monkeypatch.setattr(released, "RELEASED", path)


def test_our_own_migrations_disturb_nobody_or_say_why(world):
    call_command("check_migrations", stdout=io.StringIO())


def test_a_new_migration_that_disturbs_fails_the_check(orchard):
    orchard.write("0001_initial", TREES)
    released_before = {*released.read_released(), "orchard.0001_initial"}
    orchard.write("0002_gone", 'migrations.RemoveField("tree", "kind")')
    out = io.StringIO()

    with pytest.MonkeyPatch.context() as patch, pytest.raises(CommandError, match="1 new operation"):
        patch.setattr(released, "read_released", lambda: released_before)
        call_command("check_migrations", "--json", stdout=out)

    (hazard,) = json.loads(out.getvalue())["hazards"]
    assert (hazard["migration"], hazard["danger"]) == ("orchard.0002_gone", OLD_CODE_READS)


def test_a_release_makes_them_history(orchard, nothing_released):
    orchard.write("0001_initial", TREES)
    orchard.write("0002_gone", 'migrations.RemoveField("tree", "kind")')

    released.write_released()

    assert "orchard.0002_gone" in released.read_released()
    assert released.find_new_hazards() == []
