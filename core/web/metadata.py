from typing import Any

from rest_framework.metadata import BaseMetadata
from rest_framework.request import Request


class Metadata(BaseMetadata):
    """Answers OPTIONS with what an address is for. What it takes and gives stands in the OpenAPI document alone."""

    def determine_metadata(self, request: Request, view: Any) -> dict[str, Any]:
        return {"name": view.get_view_name(), "description": view.get_view_description()}
