from typing import TYPE_CHECKING, Any

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from core.limits.headers import take_for
from core.tenancy import current

if TYPE_CHECKING:  # views read the setting that names this class while they are imported
    from rest_framework.views import APIView


class QuotaThrottle(BaseThrottle):
    """Counts the API's calls by tenant, and by whoever calls: a person, an operator, an API client."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Take from both quotas. Raises TooManyRequests."""
        caller: Any = request.user
        if current():
            take_for(request._request, "tenant", "all")
        if caller is not None:
            take_for(request._request, "client", f"{caller._meta.label_lower}:{caller.pk}")
        return True
