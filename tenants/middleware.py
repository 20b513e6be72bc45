"""Finds the tenant by the host name, refuses what may not be used, and enters its context until the response is closed."""

from collections.abc import Callable
from contextlib import ExitStack

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import connection
from django.http import HttpRequest, HttpResponseBase

from core.errors import PlexicaError, TenantNotReady, TenantSuspended, UnknownAddress
from core.tenancy import TenantRef, enter_platform, enter_without_transaction, transaction_if_pooled
from core.web.errors import error_response
from tenants.directory import find_by_host
from tenants.models import Tenant

Handler = Callable[[HttpRequest], HttpResponseBase]
REFUSALS = {
    Tenant.Status.PROVISIONING: TenantNotReady,
    Tenant.Status.SUSPENDED: TenantSuspended,
    Tenant.Status.DELETING: TenantSuspended,
}


class TenantMiddleware:
    """Gives `request.tenant` (None on the platform's own address) and the URL configuration that goes with it."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            ref = self._tenant_at(request)
        except PlexicaError as refusal:  # Django would make a 500 of it on the way to ErrorMiddleware
            return error_response(request, refusal)
        request.tenant = ref  # type: ignore[attr-defined]
        request.urlconf = settings.TENANT_URLCONF if ref else settings.PLATFORM_URLCONF
        stack = ExitStack()
        try:
            response = self._answer(request, ref, stack)
        except BaseException:
            stack.close()
            raise
        response._resource_closers.append(stack.close)  # type: ignore[attr-defined]
        return response

    def _answer(self, request: HttpRequest, ref: TenantRef | None, stack: ExitStack) -> HttpResponseBase:
        """Enter the tenant and ask the view. Behind a pooler that is one transaction, over before the client has the answer.

        Who reads the answer may come back at once and must find what was written. A streamed answer still asks.
        """
        if ref is None:
            stack.enter_context(enter_platform())
            return self.get_response(request)
        stack.enter_context(enter_without_transaction(ref))
        connection.ensure_connection()  # greeted in the tenant's role
        with ExitStack() as asking:
            asking.enter_context(transaction_if_pooled())
            response = self.get_response(request)
            if response.streaming:
                stack.push(asking.pop_all())
        return response

    def _tenant_at(self, request: HttpRequest) -> TenantRef | None:
        try:
            host = request.get_host().rpartition(":")[0] or request.get_host()
        except DisallowedHost:
            raise UnknownAddress(host="") from None
        host = host.lower().rstrip(".")
        if host == settings.PUBLIC_HOST:
            return None
        ref = find_by_host(host)
        if ref is None or ref.state in Tenant.GONE:
            raise UnknownAddress(host=host)
        if refusal := REFUSALS.get(Tenant.Status(ref.state)):
            raise refusal(name=ref.name, slug=ref.slug)
        return ref
