from typing import cast

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.operators.models import Operator
from superadmin.api.serializers import MeSerializer


class Me(APIView):
    """Who the token or session belongs to."""

    @extend_schema(operation_id="me_read", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(cast(Operator, request.user)).data)
