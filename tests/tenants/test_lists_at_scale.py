"""With ten thousand tenants lists are read along an index, not sorted: how, not how fast."""

import pytest
from django.core.paginator import Paginator
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tenants.fleet.selectors import count_living_by_last_record, list_runs
from tenants.selectors import list_operations, list_tenants
from tests.support.raw import superuser


@pytest.fixture
def plans_of(db):
    """The plans that PostgreSQL would choose if tables were so large that reading them whole were out of the question."""

    def explain(read):
        with CaptureQueriesContext(connection) as queries:
            read()
        with superuser() as admin:
            admin.execute("SET enable_seqscan = off; SET enable_sort = off")
            rows = [admin.execute(f"EXPLAIN {query['sql']}").fetchall() for query in queries]
        return ["\n".join(line for (line,) in plan) for plan in rows]

    return explain


def first_page(found):
    return list(Paginator(found, 25).get_page(1).object_list)


def test_a_page_of_operations_follows_the_index_of_its_order(plans_of):
    count, page = plans_of(lambda: first_page(list_operations()))

    assert "tenants_operation_list" in page
    assert "Sort" not in page
    assert "tenants_tenant" not in count


def test_a_page_of_tenants_follows_the_index_of_its_order(plans_of):
    _, page = plans_of(lambda: first_page(list_tenants()))

    assert "tenants_tenant_newest" in page
    assert "Sort" not in page


def test_where_tenants_stand_is_read_with_one_line_for_each(plans_of):
    (plan,) = plans_of(count_living_by_last_record)

    assert "Limit" in plan
    assert "Index Scan using fleet_tenantrecord_newest" in plan
    assert "Sort" not in plan


def test_runs_that_ended_are_listed_without_their_lines(plans_of):
    (plan,) = plans_of(list_runs)

    assert "fleet_run_newest" in plan
    assert "Sort" not in plan
