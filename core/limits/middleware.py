from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from core.limits.headers import TooManyRequests, say, standings_of, take_for
from core.limits.quotas import QuotaName
from core.web.addresses import IN_PROCESS, client_address, network_of
from core.web.errors import error_response

SAFE = ("GET", "HEAD", "OPTIONS")


class RateLimitMiddleware:
    """Counts calls of the API, and attempts to sign in, by the address that they come from, before anybody is known.

    What a tenant and a client may call is counted by `core.limits.throttle`, once the API knows them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        quota = quota_of(request)
        response: HttpResponseBase
        if quota is None:
            return self.get_response(request)
        try:
            take_for(request, quota, network_of(client_address(request)))
            response = self.get_response(request)
        except TooManyRequests as error:
            response = error_response(request, error)
        say(response, standings_of(request))
        return response


def quota_of(request: HttpRequest) -> QuotaName | None:
    """Return which of an address's quotas a request takes from; calls that this process makes to itself take from none."""
    if request.META.get(IN_PROCESS):
        return None
    if request.path.startswith("/api/"):
        return "address"
    if request.method not in SAFE and request.path.startswith(settings.SIGN_IN_PATHS):
        return "sign-in"
    return None
