"""The built-in issuer's token endpoint, with what the library leaves open: the device flow, and calls at the same time."""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from oauth2_provider.models import get_device_grant_model, get_grant_model
from oauth2_provider.views import TokenView

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class TokenEndpoint(TokenView):  # type: ignore[misc]
    """Gives tokens. A code buys them once, before it expires, for somebody who is still there."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.POST.get("grant_type") == DEVICE_GRANT and not request.POST.get("device_code"):
            return _refusal("invalid_request")
        try:
            with transaction.atomic():
                _wait_for_twin(request.POST.get("code", ""))
                response: HttpResponse = super().post(request, *args, **kwargs)
        except (ObjectDoesNotExist, IntegrityError):  # used, or ended with its session, client or account, meanwhile
            return _refusal("invalid_grant")
        return response

    @transaction.atomic
    def device_flow_token_response(
        self, request: HttpRequest, device_code: str, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        grants: Any = get_device_grant_model()  # type: ignore[no-untyped-call]
        grant = grants.objects.select_for_update().filter(device_code=device_code).first()
        if grant is None or grant.client_id != request.POST.get("client_id"):
            return _refusal("invalid_grant")
        if grant.is_expired() or (grant.user_id and not grant.user.is_active):
            return _refusal("expired_token")
        response: HttpResponse = super().device_flow_token_response(request, device_code, *args, **kwargs)
        if response.status_code == 200:
            grant.status = grant.EXPIRED
            grant.save(update_fields=["status"])
        return response


def _wait_for_twin(code: str) -> None:
    """Let a call with the same code end: it uses the code up."""
    grants: Any = get_grant_model()  # type: ignore[no-untyped-call]
    grants.objects.select_for_update().filter(code=code).first()


def _refusal(error: str) -> JsonResponse:
    return JsonResponse({"error": error}, status=400, headers={"Cache-Control": "no-store"})
