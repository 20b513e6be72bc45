import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from core.tenancy import current
from tenants import directory
from tenants.middleware import TenantMiddleware
from tenants.models import Tenant


def request_to(host, path="/"):
    return RequestFactory().get(path, HTTP_HOST=host)


def set_status(tenant, status):
    Tenant.objects.filter(pk=tenant.id).update(status=status)
    directory.forget()


@pytest.mark.parametrize(
    "host", ["nobody.localhost:8000", "www.acme-corp.localhost", "acme-corp", "example.com", "127.0.0.1", "[::1]:8000"]
)
def test_an_unknown_host_gets_a_page_that_says_so(db, visitor, world, host):
    answer = visitor(host=host).get("/")

    assert answer.status_code == 404
    assert "errors/unknown_address.html" in [template.name for template in answer.templates]


@pytest.mark.parametrize("host", ["acme corp.localhost", "a/b", "acme-corp.localhost:port", "<script>", "a@b"])
def test_a_host_that_is_no_host_is_unknown_too(db, visitor, world, host):
    answer = visitor(host=host).get("/")

    assert answer.status_code == 404


@pytest.mark.parametrize(
    "host", ["acme-corp.localhost", "ACME-Corp.localhost:8000", "acme-corp.localhost.:8000", "acme-corp.localhost:1"]
)
def test_a_tenants_host_is_found_however_it_is_written(db, acme, host):
    request = request_to(host)

    TenantMiddleware(lambda _: HttpResponse())(request)

    assert request.tenant == acme
    assert request.urlconf == "plexica.urls_tenant"


@pytest.mark.parametrize("host", ["localhost", "LocalHost:8000", "localhost.", "localhost:9"])
def test_the_platforms_host_is_found_however_it_is_written(db, host):
    request = request_to(host)

    TenantMiddleware(lambda _: HttpResponse())(request)

    assert request.tenant is None
    assert request.urlconf == "plexica.urls_platform"


@pytest.mark.parametrize(
    ("status", "code", "template"),
    [
        (Tenant.Status.SUSPENDED, 403, "errors/suspended.html"),
        (Tenant.Status.DELETING, 403, "errors/suspended.html"),
        (Tenant.Status.PROVISIONING, 503, "errors/setting_up.html"),
        (Tenant.Status.FAILED, 404, "errors/unknown_address.html"),
        (Tenant.Status.DELETED, 404, "errors/unknown_address.html"),
    ],
)
def test_a_tenant_that_may_not_be_used_gets_a_page_that_says_why(db, visitor, acme, status, code, template):
    set_status(acme, status)

    answer = visitor(acme).get("/")

    assert answer.status_code == code
    assert template in [used.name for used in answer.templates]


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (Tenant.Status.SUSPENDED, 403, "tenant_suspended"),
        (Tenant.Status.PROVISIONING, 503, "tenant_not_ready"),
        (Tenant.Status.DELETED, 404, "unknown_address"),
    ],
)
def test_a_program_is_told_by_a_code(db, visitor, acme, status, code, name):
    set_status(acme, status)

    answer = visitor(acme).api("GET", "/api/v1/me/")

    assert (answer.status_code, answer.json()["code"]) == (code, name)
    assert answer["Content-Type"] == "application/problem+json"


def test_the_tenant_is_entered_for_the_view_and_left_with_the_response(db, acme):
    seen = []

    def view(request):
        seen.append(current())
        return HttpResponse()

    response = TenantMiddleware(view)(request_to("acme-corp.localhost"))
    response.close()

    assert seen == [acme]
    assert current() is None


def test_a_streamed_response_keeps_its_tenant_until_it_is_closed(db, acme):
    def lines():
        yield from (current(), current())

    response = TenantMiddleware(lambda _: StreamingHttpResponse(lines()))(request_to("acme-corp.localhost"))

    seen = list(response._iterator)
    response.close()
    assert seen == [acme, acme]
    assert current() is None


def test_an_exception_leaves_no_tenant_behind(db, acme):
    def view(request):
        assert current() == acme
        raise LookupError

    with pytest.raises(LookupError):
        TenantMiddleware(view)(request_to("acme-corp.localhost"))

    assert current() is None


def test_a_refused_request_reaches_no_view_and_enters_no_tenant(db):
    reached = []

    answer = TenantMiddleware(reached.append)(request_to("nobody.localhost"))

    assert answer.status_code == 404
    assert reached == []
    assert current() is None


def test_behind_a_pooler_a_request_is_one_transaction(committed, acme, settings):
    from django.db import connection

    settings.DATABASE_TRANSACTION_POOLING = True
    open_inside = []

    response = TenantMiddleware(lambda _: HttpResponse(open_inside.append(connection.in_atomic_block)))(
        request_to("acme-corp.localhost")
    )
    response.close()

    assert open_inside == [True]
    assert not connection.in_atomic_block
