"""Mistakes of our own code: ids, cached objects, jobs, streams and exceptions that would cross from tenant to tenant."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.core.cache import cache
from django.db import DatabaseError, connection, connections, transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from accounts.people.models import Person, RoleAssignment
from core.celery import app
from core.tenancy import current, enter
from core.tenancy.router import ForeignObject
from tenants.middleware import TenantMiddleware
from tests.support.threads import run_apart, run_together

pytestmark = pytest.mark.usefixtures("road")
OWN = {
    "acme-corp": {"owner@people.example", "member@people.example", "guest@people.example"},
    "globex-inc": {"outsider@people.example"},
}


def emails():
    return set(Person.objects.values_list("email", flat=True))


def where():
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_schema()")
        return cursor.fetchone()


def ask(view, ref):
    """One request through the middleware, its answer read and closed as a server does."""
    request = RequestFactory().get("/", headers={"Host": f"{ref.slug}.localhost"})
    response = TenantMiddleware(view)(request)
    try:
        return b"".join(response).decode()
    finally:
        response.close()


# Ids and objects of another tenant


@pytest.fixture
def foreign(committed, globex):
    """A person of globex, kept in memory."""
    with enter(globex):
        return Person.objects.get(email="outsider@people.example")


def test_another_tenants_ids_find_nothing(foreign, acme, globex):
    with enter(acme):
        mine = Person.objects.filter(pk=foreign.pk)

        assert not mine.exists()
        assert Person.objects.in_bulk([foreign.pk]) == {}
        assert mine.update(name="taken") == 0
        assert mine.delete()[0] == 0
        with pytest.raises(Person.DoesNotExist):
            Person.objects.get(pk=foreign.pk)
    with enter(globex):
        assert Person.objects.get(pk=foreign.pk).name == foreign.name


@pytest.mark.parametrize(
    "use",
    [
        lambda person: person.save(),
        lambda person: person.save(update_fields=["name"]),
        lambda person: person.delete(),
        lambda person: person.refresh_from_db(),
        lambda person: list(person.roles.all()),
        lambda person: person.roles.clear(),
    ],
    ids=["save", "save_some_fields", "delete", "read_anew", "read_related", "clear_related"],
)
def test_a_cached_object_of_another_tenant_cannot_be_used(foreign, acme, globex, use):
    foreign.name = "Copied"

    with enter(acme):
        with pytest.raises(ForeignObject), transaction.atomic():
            use(foreign)
        assert emails() == OWN["acme-corp"]
    with pytest.raises(ForeignObject):
        use(foreign)
    with enter(globex):
        found = Person.objects.get(pk=foreign.pk)
        assert found.name != "Copied"
        assert found.roles.exists()


def test_objects_of_two_tenants_cannot_be_joined(foreign, acme):
    with enter(acme):
        assignment = RoleAssignment.objects.select_related("person").first()
        whose = assignment.person

        with pytest.raises(ValueError, match="router prevents this relation"):
            assignment.person = foreign

        assert assignment.person == whose


def test_an_object_is_used_freely_where_it_was_loaded(committed, globex):
    with enter(globex), transaction.atomic():
        person = Person.objects.get(email="outsider@people.example")
        person.save(update_fields=["name"])

        assert person.roles.count() == 1


# Jobs

seen: list[Any] = []
done = threading.Event()


@app.task
def read_people():
    seen.append((current(), emails(), where()))
    done.set()


@pytest.fixture
def worker(committed):
    seen.clear()
    done.clear()
    app.control.purge()
    with start_worker(app, perform_ping_check=False, pool="solo", queues=["default"]):
        yield
    app.control.purge()


def test_a_job_of_one_tenant_runs_while_anothers_request_is_open(worker, acme, globex):
    def view(request):
        with enter(globex):
            before = emails()
        run_apart(lambda: send(acme))
        assert done.wait(timeout=60)
        return HttpResponse(",".join(sorted(before | emails())))

    answer = ask(view, globex)

    assert set(answer.split(",")) == OWN["globex-inc"]
    assert seen == [(acme, OWN["acme-corp"], (acme.role, acme.schema))]


def send(ref):
    with enter(ref):
        read_people.delay()


def test_a_job_that_fails_leaves_the_worker_clean_for_the_next_tenant(worker, acme, globex):
    with enter(acme):
        break_down.delay()
    with enter(globex):
        read_people.delay()

    assert done.wait(timeout=60)
    assert seen == [(globex, OWN["globex-inc"], (globex.role, globex.schema))]


@app.task
def break_down():
    with transaction.atomic():
        Person.objects.update(name="half done")
        raise LookupError


# Streams


def stream_of_people(request):
    def lines():
        for person in Person.objects.order_by("email").iterator(chunk_size=1):
            yield f"{person.email} {where()[0]}\n"

    return StreamingHttpResponse(lines())


def test_a_streamed_answer_reads_its_own_tenant_to_the_end(committed, acme, globex):
    one, other = run_together(lambda: read_often(stream_of_people, acme), lambda: read_often(stream_of_people, globex))

    assert one == {f"{email} {acme.role}" for email in OWN["acme-corp"]}
    assert other == {f"{email} {globex.role}" for email in OWN["globex-inc"]}


def read_often(view, ref):
    return {line for _ in range(10) for line in ask(view, ref).splitlines()}


def test_after_a_stream_that_broke_off_the_next_tenant_is_clean(committed, acme, globex):
    def broken(request):
        def lines():
            yield str(emails())
            raise LookupError

        return StreamingHttpResponse(lines())

    with pytest.raises(LookupError):
        ask(broken, acme)

    assert current() is None
    assert ask(lambda _: HttpResponse(str(emails())), globex) == str(OWN["globex-inc"])


def test_a_stream_that_nobody_reads_to_the_end_is_closed_with_its_context(committed, acme, globex):
    request = RequestFactory().get("/", headers={"Host": f"{acme.slug}.localhost"})
    response = TenantMiddleware(stream_of_people)(request)
    next(iter(response))
    response.close()

    assert current() is None
    assert ask(lambda _: HttpResponse(",".join(where())), globex) == f"{globex.role},{globex.schema}"


# Exceptions in the middle


def half_way(how):
    def view(request):
        with transaction.atomic():
            Person.objects.update(name="half done")
            how()
        return HttpResponse()

    return view


def python_fault():
    raise LookupError


def database_fault():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")


def denied():
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM public.tenants_tenant")


@pytest.mark.parametrize("fault", [python_fault, database_fault, denied])
def test_an_exception_in_the_middle_leaves_nothing_for_the_next_tenant(committed, acme, globex, fault):
    with pytest.raises((LookupError, DatabaseError)):
        ask(half_way(fault), acme)

    assert current() is None
    assert ask(lambda _: HttpResponse(",".join(where())), globex) == f"{globex.role},{globex.schema}"
    with enter(acme):
        assert not Person.objects.filter(name="half done").exists()


def test_a_failed_transaction_that_is_caught_leaves_nothing_for_the_next_tenant(committed, acme, globex):
    def view(request):
        try:
            with transaction.atomic():
                database_fault()
        except DatabaseError:
            return HttpResponse(",".join(sorted(emails())))
        return HttpResponse("no fault")

    assert set(ask(view, acme).split(",")) == OWN["acme-corp"]
    assert set(ask(lambda _: HttpResponse(",".join(emails())), globex).split(",")) == OWN["globex-inc"]


def test_what_was_written_is_there_before_the_answer_is_read(committed, acme):
    """Who reads the answer may come back at once, on another connection."""
    request = RequestFactory().get("/", headers={"Host": f"{acme.slug}.localhost"})

    def view(request):
        Person.objects.filter(email="member@people.example").update(time_zone="Asia/Tokyo")
        return HttpResponse()

    response = TenantMiddleware(view)(request)
    try:
        zone = run_apart(lambda: zone_of(acme))
    finally:
        response.close()
        with enter(acme):
            Person.objects.filter(email="member@people.example").update(time_zone="")

    assert zone == "Asia/Tokyo"


def zone_of(ref):
    with enter(ref):
        return Person.objects.get(email="member@people.example").time_zone


# Many at once on few connections


def test_threads_of_two_tenants_on_shared_connections_see_their_own(committed, acme, globex):
    def work(ref):
        found = set()
        for _ in range(40):
            with enter(ref):
                found |= emails()
                found.add(where()[0])
        connections.close_all()
        return found

    results = run_together(*(lambda ref=ref: work(ref) for ref in (acme, globex) * 3))

    assert results == [OWN[ref.slug] | {ref.role} for ref in (acme, globex) * 3]


# By construction: each carries its tenant


def test_every_key_in_the_cache_names_its_owner(committed, acme, globex):
    for ref in (acme, globex):
        with enter(ref):
            cache.set("same", ref.slug)
    cache.set("same", "platform")

    from django_redis import get_redis_connection

    keys = {key.decode().split(":")[1] for key in get_redis_connection().keys("*")}

    assert keys == {acme.schema.removeprefix("t_"), globex.schema.removeprefix("t_"), "platform"}
    for ref in (acme, globex):
        with enter(ref):
            assert cache.get("same") == ref.slug
    assert cache.get("same") == "platform"


def test_a_session_is_worth_nothing_at_another_tenant(committed, signed_in, visitor, acme, globex):
    cookies = signed_in("owner").cookies

    at_home, elsewhere, at_platform = (
        visitor(place, cookies=cookies).get("/api/v1/me/").status_code for place in (acme, globex, None)
    )

    assert (at_home, elsewhere, at_platform) == (200, 401, 401)


def test_lines_of_the_log_name_the_tenant_of_their_request(committed, acme, globex):
    import structlog

    def view(request):
        return HttpResponse(structlog.contextvars.get_contextvars()["tenant"])

    assert [ask(view, ref) for ref in (acme, globex, acme)] == [str(ref.id) for ref in (acme, globex, acme)]
    assert "tenant" not in structlog.contextvars.get_contextvars()


def test_a_job_names_its_tenant_in_the_message(acme, monkeypatch):
    sent = SimpleNamespace(headers=None)
    monkeypatch.setattr(app, "send_task", lambda *args, headers=None, **options: setattr(sent, "headers", headers))
    with enter(acme):
        read_people.delay()

    assert sent.headers == {"plexica_tenant": str(acme.id)}
