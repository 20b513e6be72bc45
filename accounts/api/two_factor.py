from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import SIGNED_IN
from accounts.api.sessions import caller_of
from accounts.two_factor import state_of


class TwoFactorSerializer(serializers.Serializer[Any]):
    """How it stands with the caller's second factor. It is changed on pages alone."""

    is_ours = serializers.BooleanField(help_text="False: the identity server keeps it, and nothing else is known here")
    is_on = serializers.BooleanField(help_text="Whether an app and recovery codes are set up")
    is_required = serializers.BooleanField(help_text="Whether everybody here needs one")
    recovery_codes_left = serializers.IntegerField()


class MyTwoFactor(APIView):
    """The caller's second factor."""

    requires = {"GET": SIGNED_IN}

    @extend_schema(operation_id="me_two_factor_read", responses=TwoFactorSerializer)
    def get(self, request: Request) -> Response:
        return Response(TwoFactorSerializer(state_of(caller_of(request))).data)
