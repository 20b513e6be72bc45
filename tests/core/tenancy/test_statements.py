"""What the application's cursor lets through. PostgreSQL itself says what a text holds, where a test can ask it."""

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.tenancy import enter
from core.tenancy.statements import StatementRefused, check_statement, first_keyword
from tests.support.raw import app_login

CHANGE_OF_ROLE = "SET ROLE px_app"


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE px_app",
        "set role px_app",
        "  \n\tSET ROLE px_app",
        "(SET ROLE px_app)",
        "/* harmless */ SET ROLE px_app",
        "/* a /* nested */ one */ SET ROLE px_app",
        "-- SELECT\nSET ROLE px_app",
        "-- SELECT\rSET ROLE px_app",
        "--\rRESET ROLE /*\nSELECT */",
        "SET/**/ROLE px_app",
        "SET SESSION AUTHORIZATION px_app",
        "SET search_path = public",
        "SET LOCAL ROLE px_app",
        "SET\u00a0CONSTRAINTS = 1",
        "RESET ROLE",
        "RESET ALL",
        "DISCARD ALL",
        "DO $$ BEGIN END $$",
        "COPY people_person TO STDOUT",
        "LOAD 'auto_explain'",
        "CALL something()",
        "EXECUTE something",
        "PREPARE x AS SELECT 1",
        "DEALLOCATE ALL",
        "ROLLBACK",
        "COMMIT",
        "END",
        "ABORT",
        "BEGIN",
        "START TRANSACTION",
        "SAVEPOINT here",
        "RELEASE SAVEPOINT here",
        "ROLLBACK TO SAVEPOINT here",
        "CREATE TABLE x (y int)",
        "CREATE TEMP TABLE x (y int)",
        "ALTER ROLE px_app SUPERUSER",
        "DROP TABLE people_person",
        "TRUNCATE people_person",
        "GRANT ALL ON people_person TO PUBLIC",
        "REVOKE ALL ON people_person FROM PUBLIC",
        "LISTEN x",
        "NOTIFY x",
        "UNLISTEN *",
        "VACUUM",
        "CLUSTER",
        "REINDEX TABLE people_person",
        "REFRESH MATERIALIZED VIEW x",
        "COMMENT ON TABLE people_person IS 'x'",
        "SECURITY LABEL ON TABLE x IS 'y'",
        "IMPORT FOREIGN SCHEMA x FROM SERVER y INTO z",
        "CHECKPOINT",
        "; SET ROLE px_app",
        "",
        "-- nothing",
        "/* not closed",
        "é",
        "SELECTED",
        "SETSELECT",
    ],
)
def test_a_statement_that_the_application_never_needs_is_refused(statement):
    with pytest.raises(StatementRefused):
        check_statement(statement)


# Each hides a second statement from a reader who tells strings, names and comments apart otherwise than PostgreSQL does.
HIDING = [
    "SELECT 1; SET ROLE px_app",
    "SELECT 1;SET ROLE px_app;",
    "SELECT 1;;",
    "SELECT 1; -- the end",
    "SELECT 'a'; SET ROLE px_app",
    "SELECT 'it''s'; SET ROLE px_app",
    "SELECT ''; SET ROLE px_app; SELECT ''",
    'SELECT 1 AS "a"; SET ROLE px_app; SELECT 1 AS "b"',
    'SELECT 1 AS "a\'"; SET ROLE px_app; SELECT 1 AS "\'"',
    "SELECT '\"'; SET ROLE px_app; SELECT '\"'",
    # escapes: plain strings know none, E-strings do, and go on in the next line
    r"SELECT '\'; SET ROLE px_app; --'",
    r"SELECT E'\\'; SET ROLE px_app; --'",
    r"SELECT E'\''; SET ROLE px_app; SELECT '",
    "SELECT E'a'\n'\\' ' ; SET ROLE px_app; --'",
    r"SELECT 1 AS some'\'; SET ROLE px_app; --'",
    r"SELECT date'\'; SET ROLE px_app; --'",
    r"SELECT U&'\0061' ; SET ROLE px_app; --'",
    r"SELECT U&'!' UESCAPE '\'; SET ROLE px_app; --'",
    # dollar quotes, and names that hold dollars
    "SELECT $$a$$; SET ROLE px_app",
    "SELECT $$'$$; SET ROLE px_app; --'",
    "SELECT $a$ ' $a$; SET ROLE px_app; --'",
    "SELECT 1 AS a$$; SET ROLE px_app; SELECT 1 AS b$$",
    "SELECT 1 AS a$x$; SET ROLE px_app; SELECT 1 AS b$x$",
    "SELECT $é$ ' $é$; SET ROLE px_app; --'",
    "SELECT $\U0001f600$ ' $\U0001f600$; SET ROLE px_app; --'",
    "SELECT 1 AS é$$; SET ROLE px_app; SELECT 1 AS é$$",
    # comments nest, and end with either end of line
    "SELECT 1 /* ; */; SET ROLE px_app",
    "SELECT 1 /* /* */ ' */; SET ROLE px_app; --'",
    "SELECT 1 --\r; SET ROLE px_app",
    "SELECT 1 --'\n; SET ROLE px_app; --'",
    "SELECT 1 -- /*\n; SET ROLE px_app; -- */",
    "SELECT '/*'; SET ROLE px_app; SELECT '*/'",
    "SELECT '--'; SET ROLE px_app",
    "SELECT 1 +/* ' */ 1; SET ROLE px_app; --'",
    # names of parameters are text of the statement until values take their place
    "SELECT %(x')s; SET ROLE px_app; SELECT %(y')s",
    "SET CONSTRAINTS ALL IMMEDIATE; SET ROLE px_app",
]


@pytest.mark.parametrize("statement", HIDING)
def test_a_second_statement_behind_a_semicolon_is_refused(statement):
    with pytest.raises(StatementRefused):
        check_statement(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "SELECT 1;",
        " ( SELECT 1 ) UNION (SELECT 2)",
        "SELECT ';'",
        "SELECT 'a;b', \"c;d\" FROM x WHERE y = 'it''s;'",
        "SELECT '$' -- why\n",
        r"SELECT E'\n'",
        "/* by: /* nested */ */ SELECT 1",
        "WITH x AS (SELECT 1) UPDATE y SET z = 1",
        "INSERT INTO x VALUES (%s) RETURNING id",
        "UPDATE x SET y = %s",
        "DELETE FROM x",
        "VALUES (1)",
        "MERGE INTO x USING y ON true WHEN MATCHED THEN DO NOTHING",
        "EXPLAIN SELECT 1",
        "LOCK TABLE x",
        "DECLARE c CURSOR FOR SELECT 1",
        "FETCH ALL FROM c",
        "CLOSE c",
        "SET CONSTRAINTS ALL IMMEDIATE",
        "set constraints all deferred;",
    ],
)
def test_what_the_application_needs_is_let_through(statement):
    check_statement(statement)


def test_the_orm_needs_nothing_else(db, acme):
    from accounts.people.models import Person, Role
    from core.audit.models import AuditEntry

    with enter(acme):
        role = Role.objects.create(name="tests", label="semi;colon 'quoted' -- $$ \\")
        Role.objects.bulk_create([Role(name="tests-2", label="b"), Role(name="tests-3", label="c")])
        Role.objects.filter(pk=role.pk).update(label="x")
        list(Role.objects.select_for_update().order_by("name"))
        list(Role.objects.filter(name="a").union(Role.objects.filter(name="b")))
        list(Person.objects.filter(roles__label__icontains=";").values("email").distinct().iterator())
        AuditEntry.objects.filter(facts__contains={"a": ";"}).exists()
        with transaction.atomic():
            role.delete()
        connection.check_constraints()
        Role.objects.order_by("name").explain()

        assert Role.objects.filter(name__startswith="tests").count() == 2


def test_the_first_word_is_found_behind_blanks_comments_and_brackets():
    assert first_keyword("/* x */ -- y\r\n ((\tselect 1))") == "SELECT"


PIECES = [
    *"'\"$;-/*\\\n\r\t (é%sEeUuxa1_&",
    "--",
    "/*",
    "*/",
    "$$",
    "$a$",
    "E'",
    "''",
    "SELECT 1",
    "SELECT ",
    f"; {CHANGE_OF_ROLE}",
    f";{CHANGE_OF_ROLE};",
    " AS e",
    "\U0001f600",
]


@pytest.fixture(scope="module")
def postgresql(django_db_setup):
    with app_login() as raw:
        yield raw


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES), max_size=14).map(lambda pieces: "SELECT " + "".join(pieces)))
@example("SELECT 1 /* /* */ ' */; SET ROLE px_app; --'")
def test_no_text_that_is_let_through_holds_two_statements_for_postgresql(postgresql, statement):
    """The extended protocol takes one statement and says so otherwise, before it looks at any name."""
    try:
        check_statement(statement)
    except StatementRefused:
        return

    answer = postgresql.pgconn.exec_params(statement.encode(), [])

    assert b"multiple commands" not in answer.error_message
