"""Where the API's document and its page are served."""

from typing import Any

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView
from rest_framework.request import Request
from rest_framework.response import Response


class SchemaView(SpectacularJSONAPIView):
    """Serves the document of the address that is asked: the platform's, or a tenant's."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.urlconf = request._request.urlconf
        answer: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        return answer

    def _get_version_parameter(self, request: Request) -> None:
        """There is one version; what a query says of it must not reach a header."""


class DocsView(SpectacularSwaggerView):
    """Serves the page; there is no sign-in in another window that would need it to be opened up."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        answer["Cross-Origin-Opener-Policy"] = "same-origin"
        return answer
