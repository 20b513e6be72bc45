from uuid import UUID, uuid4

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from core.ids import uuid7
from core.tenancy import names


@pytest.mark.parametrize("name", ["", "a" * 64, "é" * 32])
def test_a_name_that_postgresql_would_cut_is_refused(name):
    with pytest.raises(names.IdentifierTooLong):
        names.identifier(name)


@pytest.mark.parametrize("name", ["a", "a" * 63, "é" * 31])
def test_a_name_that_postgresql_keeps_is_returned_as_it_is(name):
    assert names.identifier(name) == name


@given(st.uuids())
def test_every_name_of_a_tenant_is_short_and_plain(tenant_id):
    schema, role = names.schema_name(tenant_id), names.role_name(tenant_id, "abc234")
    bucket = names.bucket_name(tenant_id, "abc234")

    assert schema == f"t_{names.tenant_code(tenant_id)}"
    assert role.startswith("px_abc234_")
    assert role.endswith(schema[2:])
    assert set(names.tenant_code(tenant_id)) <= set("abcdefghijklmnopqrstuvwxyz234567")
    assert 3 <= len(bucket) <= 63
    assert set(bucket) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_ids_made_one_after_the_other_get_codes_of_their_own():
    codes = {names.tenant_code(uuid7()) for _ in range(5_000)}

    assert len(codes) == 5_000


def test_the_database_derives_the_same_code_as_python(db):
    ids = [UUID(int=0), UUID(int=2**128 - 1), *(uuid7() for _ in range(200)), *(uuid4() for _ in range(200))]

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(tenant_code(id) ORDER BY n) FROM unnest(%s) WITH ORDINALITY AS u(id, n)", [ids]
        )
        row = cursor.fetchone()

    assert row[0] == [names.tenant_code(tenant_id) for tenant_id in ids]
