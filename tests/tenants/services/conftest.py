"""Operations that tests ask for, run and clean up after."""

import secrets

import pytest

from core.actors import SYSTEM
from tenants.models import Operation
from tenants.selectors import get_operation
from tenants.services import work
from tenants.services.provisioning import request_tenant
from tenants.services.work import run_operation
from tests.support import people


@pytest.fixture
def asked(committed, world):
    """Asks for tenants and takes away whatever their operations left."""
    made = []

    def ask(slug=None, **inputs):
        slug = slug or f"op-{secrets.token_hex(5)}"
        operation = request_tenant(slug=slug, name="Op", admin_email="a@op.example", actor=SYSTEM, **inputs)
        made.append(operation)
        return operation

    yield ask
    for operation in made:
        Operation.objects.filter(tenant=operation.tenant, status__in=Operation.ACTIVE).update(
            status=Operation.Status.FAILED
        )
        people.remove(operation.tenant)


@pytest.fixture
def quick(monkeypatch):
    """Retries are due at once."""
    monkeypatch.setattr(work, "BACKOFF_S", (-1.0,))


@pytest.fixture
def go():
    """Runs the operation as often as it is due; returns it as it is then."""

    def run(operation):
        for _ in range(60):
            if not run_operation(operation.pk):
                break
        return get_operation(operation.pk)

    return run
