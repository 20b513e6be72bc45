import threading
from dataclasses import FrozenInstanceError

import pytest
import structlog
from django.db import connection, transaction

from core.tenancy import (
    TenantContextRequired,
    TenantSwitchInTransaction,
    current,
    enter,
    enter_platform,
    require,
)


def test_nobody_is_current_before_a_tenant_is_entered_and_after_it_is_left(acme):
    assert current() is None

    with enter(acme) as entered:
        assert entered is acme
        assert current() is acme

    assert current() is None


def test_tenants_are_left_in_the_order_of_entering(acme, globex):
    with enter(acme):
        with enter(globex):
            with enter_platform():
                assert current() is None
            assert current() is globex
        assert current() is acme


def test_an_exception_leaves_no_tenant_behind(acme):
    with pytest.raises(LookupError), enter(acme):
        raise LookupError

    assert current() is None


def test_work_that_needs_a_tenant_is_refused_on_the_platform(acme):
    with pytest.raises(TenantContextRequired):
        require()

    with enter(acme):
        assert require() is acme


def test_a_reference_cannot_be_changed(acme):
    with pytest.raises(FrozenInstanceError):
        acme.schema = "public"


def test_the_log_names_the_tenant_only_inside(acme):
    with enter(acme):
        assert structlog.contextvars.get_contextvars()["tenant"] == str(acme.id)

    assert "tenant" not in structlog.contextvars.get_contextvars()


def test_changing_tenant_inside_a_transaction_is_refused(committed, acme, globex):
    with enter(acme), transaction.atomic():
        connection.cursor().execute("SELECT 1")

        with pytest.raises(TenantSwitchInTransaction), enter(globex):
            pass
        with pytest.raises(TenantSwitchInTransaction), enter_platform():
            pass

        assert current() is acme


def test_a_transaction_on_the_operations_login_refuses_it_too(committed, acme, globex):
    with enter(acme), transaction.atomic(using="ops"), pytest.raises(TenantSwitchInTransaction), enter(globex):
        pass


def test_entering_the_same_tenant_again_inside_a_transaction_is_no_change(committed, acme):
    with enter(acme), transaction.atomic(), enter(acme):
        assert current() is acme


def test_threads_do_not_see_each_others_tenant(acme, globex):
    seen = {}
    both_inside = threading.Barrier(2)

    def look(name, ref):
        with enter(ref):
            both_inside.wait(timeout=10)
            seen[name] = current()

    threads = [threading.Thread(target=look, args=item) for item in (("one", acme), ("two", globex))]
    with enter(acme):
        for thread in threads:
            thread.start()
        bare = threading.Thread(target=lambda: seen.update(bare=current()))
        bare.start()
        for thread in [*threads, bare]:
            thread.join()

    assert seen == {"one": acme, "two": globex, "bare": None}
