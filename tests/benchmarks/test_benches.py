"""Each bench but two runs, on so few tenants that it proves nothing, and prints what `--json` promises."""

import json
import subprocess
import sys

import pytest

from benchmarks.cli import names
from benchmarks.harness import Bar
from deploy.embedded.paths import Tree

FIGURES = {
    "provisioning": {"schema_vs_bare_ddl", "provision_p50", "provision_p95", "parallel_20_errors", "vs_default"},
    "fleet-check": {"in_process", "whole_command", "vs_multiprocessing"},
    "fleet-migrate": {"vs_bare_replay", "vs_multiprocessing"},
    "events": {"delivery_p50", "delivery_p95", "vs_celery", "sustained", "publish_cost"},
    "events-kafka": {"delivery_p50", "delivery_p95", "vs_celery", "sustained", "publish_cost"},
    "token": {"verify_p50", "network_calls_hot", "library_p50"},
    "permission": {
        "warm_p50",
        "warm_p99",
        "redis_p50",
        "redis_vs_get",
        "database_p50",
        "django_cold_p50",
        "guardian_warm_p50",
    },
}
NOT_RUN = {"keycloak", "tenant-request"}  # too long for every run


@pytest.mark.parametrize("name", FIGURES)
def test_a_bench_prints_one_object(django_db_setup, name):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cli", name, "--json", "--size", "2"],
        cwd=Tree.here().root,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout)
    assert said["bench"] == name
    assert {figure["name"] for figure in said["figures"]} >= FIGURES[name]
    for figure in said["figures"]:
        assert set(figure) == {"name", "value", "unit"}
        assert isinstance(figure["value"], int | float)
        assert figure["unit"] in {"x", "ms", "us", "s", "/s", "MB", ""}


def test_every_bench_is_run_here_or_left_out_by_name():
    assert set(names()) == set(FIGURES) | NOT_RUN


@pytest.mark.parametrize(
    ("kind", "value", "holds"), [("at_most", 2, True), ("at_most", 2.1, False), ("at_least", 2, True)]
)
def test_a_promise_holds_or_does_not(kind, value, holds):
    assert Bar(kind, 2).holds(value) is holds
