from typing import Any, cast
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import demand
from accounts.api.permissions import SIGNED_IN
from accounts.lockouts import unlock_person
from accounts.people.models import Person
from accounts.people.selectors import get_person, list_people
from accounts.people.services import change_member, remove_person
from accounts.principals import STATUSES
from accounts.second_factors import reset_person
from accounts.sign_in_state import read_sign_in
from core.actors import Actor
from core.web.calls import read_body, read_choice
from workspace.api.serializers import MeSerializer, PersonChangeSerializer, PersonSerializer, SignInSerializer

ORDERINGS = ["name", "-name", "email", "-email", "last_sign_in_at", "-last_sign_in_at", "created_at", "-created_at"]


def actor_of(request: Request) -> Actor:
    """Return the person who asks, as services take them."""
    return cast(Person, request.user).actor


class Me(APIView):
    """Who the token or session belongs to, and what they may do."""

    requires = {"GET": SIGNED_IN}

    @extend_schema(operation_id="me_read", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(cast(Person, request.user)).data)


class PersonCollection(generics.ListAPIView[Person]):
    """The people of the workspace; who was removed is not among them."""

    requires = {"GET": "team.view"}
    serializer_class = PersonSerializer
    queryset = Person.objects.none()

    def get_queryset(self) -> Any:
        params = self.request.query_params
        people = list_people(
            query=params.get("q", ""),
            role=params.get("role", ""),
            status=read_choice(self.request, "status", list(STATUSES)),
        )
        ordering = read_choice(self.request, "ordering", ORDERINGS)
        return people.order_by(ordering, "id") if ordering else people

    @extend_schema(
        operation_id="people_list",
        parameters=[
            OpenApiParameter("q", OpenApiTypes.STR, description="Looks into name and e-mail address"),
            OpenApiParameter("role", OpenApiTypes.STR, description="A role's `name`"),
            OpenApiParameter("status", OpenApiTypes.STR, enum=list(STATUSES)),
            OpenApiParameter("ordering", OpenApiTypes.STR, enum=ORDERINGS, description="By name without it"),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class PersonItem(APIView):
    """Read, change or remove one person."""

    requires = {"GET": "team.view", "PATCH": "team.manage", "DELETE": "team.manage"}

    @extend_schema(operation_id="people_read", responses=PersonSerializer)
    def get(self, request: Request, person_id: UUID) -> Response:
        return Response(PersonSerializer(get_person(person_id)).data)

    @extend_schema(operation_id="people_update", request=PersonChangeSerializer, responses=PersonSerializer)
    def patch(self, request: Request, person_id: UUID) -> Response:
        change_member(person_id=person_id, actor=actor_of(request), **read_body(PersonChangeSerializer, request))
        return Response(PersonSerializer(get_person(person_id)).data)

    @extend_schema(
        operation_id="people_remove",
        request=None,
        responses={204: OpenApiResponse(description="Account, name and address are deleted for good")},
    )
    def delete(self, request: Request, person_id: UUID) -> Response:
        remove_person(person_id=person_id, actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class PersonSignIn(APIView):
    """Whether somebody's account is locked and has a second factor, as the workspace's issuer says."""

    requires = {"GET": "team.manage"}

    @extend_schema(operation_id="people_sign_in", responses=SignInSerializer)
    def get(self, request: Request, person_id: UUID) -> Response:
        person = get_person(person_id)
        demand(request, "team.manage", person)
        return Response(SignInSerializer(read_sign_in(person), context={"person_id": person.pk}).data)


class PersonUnlocking(APIView):
    """Let somebody try to sign in again whose account was locked after too many failures."""

    requires = {"POST": "team.manage"}

    @extend_schema(
        operation_id="people_unlock",
        request=None,
        responses={204: OpenApiResponse(description="They can try again at once; nobody needs to have been locked")},
    )
    def post(self, request: Request, person_id: UUID) -> Response:
        unlock_person(person_id=person_id, actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class PersonSecondFactorReset(APIView):
    """Take somebody's authenticator app and recovery codes away; never one's own."""

    requires = {"POST": "team.manage"}

    @extend_schema(
        operation_id="people_reset_second_factor",
        request=None,
        responses={204: OpenApiResponse(description="Sessions are over, and a mail tells them")},
    )
    def post(self, request: Request, person_id: UUID) -> Response:
        reset_person(person_id=person_id, actor=actor_of(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
