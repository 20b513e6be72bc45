"""A changed role is in force on the next request of every process: here a second one with a memory of its own."""

import json
import subprocess
import sys

import pytest
from django.db import transaction

from accounts.people import rights
from accounts.people.models import Person, Role
from accounts.people.services import change_role, make_role, set_roles
from core.actors import SYSTEM
from core.tenancy import enter
from deploy.embedded.paths import Tree
from tests.support.sessions import find_as_request

OTHER_PROCESS = """
import json, sys
import django
django.setup()
from django.db import connection
from django.test.utils import CaptureQueriesContext
from uuid import UUID
from accounts.people.rights import rights_of
from tests.support.sessions import find_as_request
from core.tenancy import enter
from tenants.models import Tenant
ref = Tenant.objects.get(slug=sys.argv[1]).ref
for line in sys.stdin:
    with enter(ref):
        person = find_as_request(UUID(line.strip()))
        with CaptureQueriesContext(connection) as queries:
            held = sorted(rights_of(person))
    print(json.dumps([held, len(queries)]), flush=True)
"""


@pytest.fixture
def tenant(new_tenant):
    return new_tenant().ref


@pytest.fixture
def other_process(tenant):
    """Asks a process that goes on running what a person may do: their keys, and how many queries that took."""
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, tenant.slug],
        cwd=Tree.here().root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def ask(person_id):
            process.stdin.write(f"{person_id}\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield ask
        process.stdin.close()


@pytest.fixture
def somebody(tenant):
    with enter(tenant):
        realm = Person.objects.get().realm
        person = Person.objects.create(realm=realm, subject="s", email="s@x.example", name="Somebody")
        role = make_role(label="Changing", permissions=["team.view"], actor=SYSTEM)
        set_roles(person_id=person.pk, role_ids=[role.pk], actor=SYSTEM)
    return person.pk


def test_what_changes_here_counts_there_on_the_next_question(tenant, other_process, somebody):
    with enter(tenant):
        role = Role.objects.get(name="changing")
        assert other_process(somebody) == [["team.view"], 1]
        assert other_process(somebody) == [["team.view"], 0]  # from its own memory
        assert rights.rights_of(find_as_request(somebody)) == {"team.view"}

        change_role(role_id=role.pk, permissions=["team.invite", "team.view"], actor=SYSTEM)
        assert other_process(somebody)[0] == ["team.invite", "team.view"]
        assert rights.rights_of(find_as_request(somebody)) == {"team.invite", "team.view"}

        set_roles(person_id=somebody, role_ids=[], actor=SYSTEM)
        assert other_process(somebody)[0] == []
        assert rights.rights_of(find_as_request(somebody)) == frozenset()


def test_one_process_finds_in_redis_what_another_has_read(tenant, other_process, somebody):
    with enter(tenant):
        rights.rights_of(find_as_request(somebody))

        assert other_process(somebody) == [["team.view"], 0]


def test_what_is_not_committed_counts_nowhere(tenant, other_process, somebody):
    with enter(tenant):
        other_process(somebody)
        with transaction.atomic():
            set_roles(person_id=somebody, role_ids=[], actor=SYSTEM)
            assert other_process(somebody) == [["team.view"], 0]
            transaction.set_rollback(True)
        assert other_process(somebody) == [["team.view"], 0]
