from typing import cast

from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.plain.models import Person, Role


class PersonSerializer(serializers.ModelSerializer[Person]):
    roles: serializers.SlugRelatedField[Role] = serializers.SlugRelatedField(
        slug_field="name", many=True, read_only=True
    )

    class Meta:
        model = Person
        fields = ["id", "email", "name", "language", "time_zone", "roles", "is_active", "last_sign_in_at"]
        read_only_fields = fields


class Me(APIView):
    def get(self, request: Request) -> Response:
        return Response(PersonSerializer(cast(Person, request.user)).data)


urlpatterns = [path("api/v1/me/", Me.as_view())]
