"""docker-compose.yml says what it must about health, limits, privileges and secrets."""

import json
import re
import tomllib
from importlib import resources
from typing import Any

import jsonschema
import pytest
from cryptography.fernet import Fernet

from deploy.settings_reference import read_settings
from tests.deploy.compose_file import (
    COMPOSE_FILE,
    ROOT,
    MissingVariable,
    fill_in,
    read_compose,
    read_env_file,
    read_services,
)

COMPOSE = read_compose()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ["setup", "migrate", "web", "worker", "operations", "scheduler", "relay", "consumer", "sender"]
ONE_SHOT = ["setup", "migrate"]
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|_KEYS?$|_AUTH$|DATABASE.*URL|REDIS_URL|BROKER_URL|EMAIL_URL")
# Secrets that may be absent: what they belong to is then off. Nothing stands in for them.
MAY_BE_EMPTY = {"KEYCLOAK_DB_PASSWORD", "KEYCLOAK_ADMIN_PASSWORD", "PLEXICA_METRICS_TOKEN"}

every_service = pytest.mark.parametrize("name", sorted(SERVICES))
every_process_of_ours = pytest.mark.parametrize("name", OURS)


def test_the_file_follows_the_compose_schema() -> None:
    schema = resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json"

    jsonschema.validate(COMPOSE, json.loads(schema.read_text(encoding="utf-8")))


def test_every_part_of_the_platform_is_there() -> None:
    servers = ["postgres", "valkey", "seaweedfs", "mailpit", "keycloak", "kafka", "redpanda", "proxy"]

    assert sorted(SERVICES) == sorted(OURS + servers)


@every_service
def test_a_service_has_a_health_check_unless_it_ends_by_itself(name: str) -> None:
    health = SERVICES[name]["healthcheck"]

    if name in ONE_SHOT:
        assert health == {"disable": True}
        assert SERVICES[name]["restart"] == "no"
    else:
        assert {"test", "interval", "timeout", "retries", "start_period"} <= health.keys()
        assert SERVICES[name]["restart"] == "unless-stopped"


@every_service
def test_a_service_is_limited(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]

    assert {"cpus", "memory", "pids"} <= limits.keys()
    assert SERVICES[name]["logging"]["options"]["max-size"]


@every_service
def test_a_service_gains_no_privilege(name: str) -> None:
    service = SERVICES[name]

    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.keys() & {"privileged", "pid", "ipc", "devices", "network_mode"}


@every_process_of_ours
def test_a_process_of_ours_may_write_nowhere_but_in_memory(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "volumes" not in service


@every_service
def test_an_image_is_pinned_to_a_version(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].rpartition(":")

    assert image
    assert tag != "latest"


@every_service
def test_only_this_machine_reaches_an_open_port(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@every_service
def test_what_a_service_waits_for_exists_and_can_be_waited_for(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
        assert wait["condition"] == expected
        assert set(SERVICES[other].get("profiles", [])) <= set(SERVICES[name].get("profiles", []))


@every_process_of_ours
def test_servers_that_a_process_needs_are_in_reach(name: str) -> None:
    assert "data" in SERVICES[name]["networks"]
    assert COMPOSE["networks"]["data"] == {"internal": True}


@every_service
def test_the_file_holds_no_secret(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET_NAME.search(variable):
            assert re.search(r"\$\{\w+:[?-]", value), f"{variable} is written out"
            for referenced, default in re.findall(r"\$\{(\w+):-([^}]*)\}", value):
                assert referenced in MAY_BE_EMPTY
                assert default == ""


def test_nothing_else_in_the_file_looks_like_a_secret() -> None:
    text = COMPOSE_FILE.read_text(encoding="utf-8")
    passwords_in_addresses = re.findall(r"://[^\s/@$]*:([^\s@]+)@", re.sub(r"#.*|:\?[^}]*", "", text))

    assert all(password.startswith("${") for password in passwords_in_addresses), passwords_in_addresses


def test_only_those_that_change_schemas_or_read_the_outbox_get_the_operations_login() -> None:
    def having(variable: str) -> set[str]:
        return {name for name, service in SERVICES.items() if variable in service.get("environment", {})}

    assert having("PLEXICA_DATABASE_OPS_URL") == {"setup", "migrate", "operations", "relay"}
    assert having("PLEXICA_DATABASE_ADMIN_URL") == {"setup"}
    assert having("PLEXICA_DATABASE_URL") == set(OURS)


@every_process_of_ours
def test_every_variable_of_ours_is_a_setting(name: str) -> None:
    known = {setting.variable for setting in read_settings()}
    given = {variable for variable in SERVICES[name]["environment"] if variable.startswith("PLEXICA_")}

    assert sorted(given - known) == []
    assert [s.variable for s in read_settings() if s.default is None and s.variable not in given] == []


def test_without_values_the_start_is_refused_with_a_reason() -> None:
    with pytest.raises(MissingVariable, match=r"^\w+: \w+"):
        read_services({})


@pytest.mark.parametrize("missing", sorted(set(re.findall(r"\$\{(\w+):\?", COMPOSE_FILE.read_text()))))
def test_each_demanded_variable_is_really_demanded(missing: str) -> None:
    values = read_env_file() | {missing: ""}

    with pytest.raises(MissingVariable, match=missing):
        fill_in(COMPOSE, values)


def test_a_developers_machine_has_every_value() -> None:
    filled = json.dumps(fill_in({key: COMPOSE[key] for key in ("services", "configs")}, read_env_file()))

    assert "${" not in filled
    keys = read_env_file()["PLEXICA_ENCRYPTION_KEYS"].split(",")
    assert [Fernet(key) for key in keys]


def test_object_storage_reads_valid_settings() -> None:
    content = fill_in(COMPOSE["configs"]["s3"]["content"], read_env_file())

    (identity,) = json.loads(content)["identities"]
    assert identity["credentials"] == [{"accessKey": "development", "secretKey": "development"}]


@every_process_of_ours
def test_a_command_is_a_list_that_no_shell_reads(name: str) -> None:
    assert all(isinstance(word, str) for word in SERVICES[name]["command"])


def test_every_room_enters_the_image() -> None:
    rooms = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    let_in = (ROOT / ".dockerignore").read_text().splitlines()

    assert [room for room in rooms if room != "deploy" and f"!{room}" not in let_in] == []
