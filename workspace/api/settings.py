from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.second_factors import require_two_factor
from core.web.calls import read_body
from tenants.preferences.selectors import get_preferences
from workspace.api.people import actor_of
from workspace.api.serializers import SecuritySettingsSerializer


class SecuritySettings(APIView):
    """What the workspace asks of everybody who signs in."""

    requires = {"GET": "settings.manage", "PATCH": "settings.manage"}

    @extend_schema(operation_id="settings_security_read", responses=SecuritySettingsSerializer)
    def get(self, request: Request) -> Response:
        return Response(SecuritySettingsSerializer(get_preferences()).data)

    @extend_schema(
        operation_id="settings_security_update",
        request=SecuritySettingsSerializer,
        responses=SecuritySettingsSerializer,
    )
    def patch(self, request: Request) -> Response:
        said = read_body(SecuritySettingsSerializer, request)
        changed = require_two_factor(required=said["two_factor_required"], actor=actor_of(request))
        return Response(SecuritySettingsSerializer(changed).data)
