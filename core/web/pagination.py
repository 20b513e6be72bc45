from typing import Any

from rest_framework import pagination


class PageNumberPagination(pagination.PageNumberPagination):
    """`?page=` and `?page_size=` up to 200; the answer says how many there are and where the next page is."""

    page_size_query_param = "page_size"
    max_page_size = 200

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        """Say in OpenAPI 3.1's words that there may be no next or previous page; the library knows 3.0's."""
        described: dict[str, Any] = super().get_paginated_response_schema(schema)
        for name in ("next", "previous"):
            address = described["properties"][name]
            address["type"] = ["string", "null"]
            address.pop("nullable", None)
        return described
