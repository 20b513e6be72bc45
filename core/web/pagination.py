from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import pagination
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from core.errors import Invalid

_declared: dict[type[APIView], frozenset[str]] = {}


class PageNumberPagination(pagination.PageNumberPagination):
    """`?page=` and `?page_size=` up to 200; the answer says how many there are and where the next page is.

    A parameter that the list does not declare is refused: a filter that is left aside would answer with everything. So is
    one that is given twice, and a page that there is not.
    """

    page_size_query_param = "page_size"
    max_page_size = 200

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        known = {"page", "page_size"} | declared_parameters(view)
        unknown = _("There is no such parameter here. There are: %(names)s.") % {"names": ", ".join(sorted(known))}
        errors = {name: [unknown] for name in sorted(set(request.query_params) - known)}
        for name, values in request.query_params.lists():
            if len(values) > 1:
                errors.setdefault(name, [_("Give it once.")])
        errors |= _wrong_number(request, "page", 10**9) | _wrong_number(request, "page_size", self.max_page_size)
        if errors:
            raise Invalid(errors)
        try:
            return super().paginate_queryset(queryset, request, view)
        except NotFound:
            raise Invalid({"page": [_("There are not so many pages.")]}) from None

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        """Say in OpenAPI 3.1's words that there may be no next or previous page; the library knows 3.0's."""
        described: dict[str, Any] = super().get_paginated_response_schema(schema)
        for name in ("next", "previous"):
            address = described["properties"][name]
            address["type"] = ["string", "null"]
            address.pop("nullable", None)
        return described


def _wrong_number(request: Request, name: str, most: int) -> dict[str, list[str]]:
    value = request.query_params.get(name, "")
    if not value or (
        value.isascii() and value.isdecimal() and len(value) <= len(str(most)) and 1 <= int(value) <= most
    ):
        return {}
    return {name: [_("Give a whole number from 1 to %(most)d.") % {"most": most}]}


def declared_parameters(view: Any) -> frozenset[str]:
    """Return the names of the query's parameters that `extend_schema` of a view's `get` tells of."""
    kind = type(view)
    if kind not in _declared:
        words: Any = getattr(view.get, "kwargs", {})
        parameters: Sequence[Any] = ()
        if "schema" in words:
            schema = words["schema"]().__get__(view, kind)
            schema.method = "GET"
            parameters = schema.get_override_parameters()
        _declared[kind] = frozenset(one.name for one in parameters if one.location == "query")
    return _declared[kind]
