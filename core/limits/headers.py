"""What answers say about quotas: the fields of the IETF's draft (draft-ietf-httpapi-ratelimit-headers), and Retry-After."""

from collections.abc import Iterable

from django.http import HttpRequest, HttpResponseBase
from django.utils.translation import gettext_lazy as _

from core.errors import PlexicaError
from core.limits.quotas import QuotaName, Standing, take


class TooManyRequests(PlexicaError):
    """A quota is used up."""

    code = "too_many_requests"
    status = 429
    title = _("Too many requests")
    detail = _("More came from you than we take at once. Go on in %(wait_s)s seconds.")


def take_for(request: HttpRequest, name: QuotaName, who: str) -> None:
    """Take one request from a quota; what is left stands in the answer. Raises TooManyRequests."""
    standing = take(name, who)
    if standing is None:
        return
    standings_of(request).append(standing)
    if not standing.is_within:
        raise TooManyRequests(wait_s=standing.reset_s, violated=[name])


def standings_of(request: HttpRequest) -> list[Standing]:
    """Return the quotas that a request took from, in order."""
    if not hasattr(request, "_standings"):
        request._standings = []  # type: ignore[attr-defined]
    found: list[Standing] = request._standings  # type: ignore[attr-defined]
    return found


def say(response: HttpResponseBase, standings: Iterable[Standing]) -> None:
    """Write what is left of each quota into the answer's headers."""
    taken = list(standings)
    if not taken:
        return
    response["RateLimit-Policy"] = ", ".join(f'"{one.name}";q={one.limit};w={one.window_s}' for one in taken)
    response["RateLimit"] = ", ".join(f'"{one.name}";r={one.remaining};t={one.reset_s}' for one in taken)
    if waits := [one.reset_s for one in taken if not one.is_within]:
        response["Retry-After"] = str(max(waits))
