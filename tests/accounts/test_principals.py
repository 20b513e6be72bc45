"""Who asks is read with a statement of our own: like the manager reads them, and never past the walls."""

import pytest
from django.db import connection

from accounts.operators.models import Operator
from accounts.people.models import Person
from accounts.people.selectors import find_bearer
from accounts.principals import read_principal
from core.tenancy import enter
from core.tenancy.router import ForeignObject


@pytest.mark.parametrize("model", [Person, Operator])
def test_columns_of_principals_need_no_conversion(model):
    for column in model._meta.concrete_fields:
        place = column.get_col(model._meta.db_table)
        assert not place.get_db_converters(connection), column
        assert not connection.ops.get_db_converters(place), column


def test_somebody_is_read_as_the_manager_reads_them(db, acme):
    with enter(acme):
        expected = Person.objects.first()
        found = find_bearer(realm_id=expected.realm_id, subject=expected.subject)

    for column in Person._meta.concrete_fields:
        assert getattr(found, column.attname) == getattr(expected, column.attname), column
    assert not found._state.adding


def test_a_column_that_the_schema_lacks_is_left_for_later_and_one_that_the_model_lacks_is_kept(db, acme):
    with enter(acme):
        found = read_principal(Person, "SELECT id, name, 7 AS shoe_size FROM people_person", [])

        assert found.shoe_size == 7
        assert "email" in found.get_deferred_fields()
        assert found.email


def test_nobody_is_found_where_no_row_is(db, acme):
    with enter(acme):
        assert read_principal(Person, "SELECT * FROM people_person WHERE name = %s", ["no such name"]) is None


def test_who_was_read_in_one_tenant_is_not_saved_in_another(db, acme, globex):
    with enter(acme):
        found = read_principal(Person, "SELECT * FROM people_person", [])

    with enter(globex), pytest.raises(ForeignObject):
        found.save()
