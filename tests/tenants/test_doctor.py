"""The doctor finds what is wrong, says what to do, and is not fooled by the rest."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from core.health import doctor as health
from core.health.doctor import examine
from tenants import doctor
from tenants.models import Operation, Tenant
from tests.support.raw import superuser
from tests.tenants.conftest import TREES


def levels(lines):
    return {(line.part, line.level) for line in lines}


def test_what_is_right_is_said_to_be_right(own_database):
    lines = [
        *doctor.database(),
        *doctor.roles(),
        *doctor.migrations(),
        *doctor.partitions(),
        *doctor.operations(),
        *health.parts_answer(),
        *health.valkey(),
        *health.mail(),
    ]

    assert [line for line in lines if line.level != "ok"] == []
    assert {line.part for line in lines} >= {"database", "roles", "migrations", "partitions", "cache", "broker", "mail"}


def test_without_workers_the_doctor_names_the_command_that_starts_them(own_database):
    lines = list(health.workers())

    assert {(line.level, line.remedy) for line in lines} == {
        ("fail", "start: celery -A plexica worker -Q default"),
        ("fail", "start: celery -A plexica worker -Q operations"),
    }


def test_tenants_that_are_behind_are_counted(orchard, make_tenant):
    make_tenant()
    orchard.plant("0001_initial", TREES)

    (line,) = [line for line in doctor.migrations() if line.level == "fail"]

    assert (line.says, line.remedy) == ("3 of 3 tenants are behind", "run manage.py migrate_fleet")


def test_a_template_of_other_code_is_found(orchard):
    orchard.write("0001_initial", TREES)

    assert ("migrations", "fail") in levels(doctor.migrations())


def test_a_missing_partition_is_found(own_database, make_tenant):
    tenant = make_tenant()
    name = doctor._name("audit_entry", "month", timezone.now())
    with superuser() as admin:
        admin.execute(f"DROP TABLE {tenant.schema_name}.{name}")

    (line,) = doctor.partitions()

    assert line.level == "fail"
    assert f"{tenant.schema_name}.{name}" in line.says


def test_rights_that_were_given_back_are_found(own_database):
    with superuser() as admin:
        admin.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
    try:
        lines = [line for line in doctor.roles() if line.level == "warn"]
    finally:
        with superuser() as admin:
            admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")

    assert [(line.says, line.remedy) for line in lines] == [
        ("the app's login still has CREATE in public", "run manage.py setup_database")
    ]


def test_work_that_nobody_takes_up_is_found(own_database, world):
    tenant = Tenant.objects.get(slug="acme-corp")
    due = timezone.now() - timedelta(minutes=5)
    Operation.objects.create(tenant=tenant, kind="provision", due_at=due, actor_kind="system", actor_name="Plexica")

    try:
        assert levels(doctor.operations()) == {("operations", "fail")}
    finally:
        with superuser() as admin:
            admin.execute("DELETE FROM tenants_operation WHERE status = 'pending'")


def test_a_check_that_breaks_does_not_hide_the_others(own_database, settings):
    settings.DOCTOR_CHECKS = ["tenants.doctor.no_such_check", "tenants.doctor.operations"]

    lines = list(examine())

    assert [(line.level, line.part) for line in lines] == [("fail", "no such check"), ("ok", "operations")]


def test_the_command_ends_with_1_if_something_fails(own_database):
    out = io.StringIO()

    with pytest.raises(CommandError, match="things need mending"):
        call_command("doctor", "--json", stdout=out)

    said = json.loads(out.getvalue().splitlines()[0])
    assert said["ok"] is False
    assert {"level", "part", "says", "remedy"} == set(said["lines"][0])
    assert all(line["remedy"] for line in said["lines"] if line["level"] != "ok")


def test_the_command_ends_with_0_if_nothing_fails(own_database, settings):
    settings.DOCTOR_CHECKS = ["tenants.doctor.database", "tenants.doctor.roles"]
    out = io.StringIO()

    call_command("doctor", stdout=out)

    assert "none fails" in out.getvalue()
