"""A tenant's addresses, and some that fail in every way."""

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_POST
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.errors import Conflict, Gone, Invalid, PlexicaError, Unavailable
from plexica.urls_tenant import handler400, handler403, handler404, handler500
from plexica.urls_tenant import urlpatterns as usual

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


class TooMany(PlexicaError):
    code, status, title, detail = "too_many", 429, "Too many", "Wait."


ERRORS: dict[str, Exception] = {
    "400": SuspiciousOperation("the secret reason"),
    "403": PermissionDenied("the secret reason"),
    "404": Http404("the secret reason"),
    "409": Conflict(),
    "410": Gone(),
    "422": Invalid({"name": ["Too short."]}),
    "429": TooMany(),
    "500": ZeroDivisionError("the secret reason"),
    "503": Unavailable(part="storage"),
    "database": OperationalError("the secret reason"),
}


def fail(request: HttpRequest, kind: str) -> HttpResponse:
    raise ERRORS[kind]


class FailingApi(APIView):
    permission_classes = ()
    schema = None

    def get(self, request: Request, kind: str) -> Response:
        raise ERRORS[kind]

    def post(self, request: Request, kind: str) -> Response:
        return Response(request.data)


@require_POST
def post_only(request: HttpRequest) -> HttpResponse:
    return HttpResponse("posted")


urlpatterns = [
    path("fail/<str:kind>/", fail, name="fail"),
    path("post-only/", post_only, name="post_only"),
    path("api/v1/fail/<str:kind>/", FailingApi.as_view(), name="api_fail"),
    *usual,
]
