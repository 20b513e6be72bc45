"""Tells the OpenAPI document about problem+json, which every endpoint may answer."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers


class ProblemSerializer(serializers.Serializer[Any]):
    """An error, after RFC 9457; an error may add members of its own."""

    type = serializers.CharField()
    code = serializers.CharField(help_text="Stable; programs decide by it")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    reference = serializers.CharField(allow_blank=True, help_text="Stands in the platform's log")
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="What is wrong, by field; of the third item of a list as `permissions.2`",
    )


class ProblemAwareSchema(AutoSchema):
    """Adds the default response to every operation."""

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        # not get_response_serializers: whatever `extend_schema` says of responses replaces that one
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        problem = OpenApiResponse(ProblemSerializer, description="Problem")
        return {**bodies, "default": self._get_response_for_code(problem, "default", direction=direction)}

    def _get_response_for_code(
        self, serializer: Any, status_code: str, media_types: Any = None, direction: str = "response"
    ) -> Any:
        if status_code == "default":
            media_types = ["application/problem+json"]
        return super()._get_response_for_code(  # type: ignore[no-untyped-call]
            serializer, status_code, media_types, direction
        )

    def _get_request_body(self, direction: Any = "request") -> Any:
        """Describe the body of DELETE too, where one is asked for: the library knows none."""
        if self.method != "DELETE":
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        self.method = "POST"
        try:
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        finally:
            self.method = "DELETE"
