from typing import Any
from uuid import UUID

from rest_framework import serializers

from accounts.clients.models import ApiClient
from accounts.identity.port import SignInState
from accounts.people.models import Person, Role
from accounts.people.rights import rights_of


class PersonSerializer(serializers.ModelSerializer[Person]):
    """A person of the workspace."""

    roles: serializers.SlugRelatedField[Role] = serializers.SlugRelatedField(
        slug_field="name", many=True, read_only=True
    )

    class Meta:
        model = Person
        fields = ["id", "email", "name", "language", "time_zone", "roles", "is_active", "last_sign_in_at"]
        read_only_fields = fields


class MeSerializer(PersonSerializer):
    """Whoever asks, and what they may do."""

    email = serializers.CharField(help_text="Empty for an API client")
    permissions = serializers.SerializerMethodField()

    class Meta(PersonSerializer.Meta):
        fields = [*PersonSerializer.Meta.fields, "permissions"]
        read_only_fields = fields

    def get_permissions(self, caller: Person | ApiClient) -> list[str]:
        """Return the keys, in order."""
        return sorted(caller.granted if isinstance(caller, ApiClient) else rights_of(caller))


class PersonChangeSerializer(serializers.Serializer[Any]):
    """What can be changed about somebody else; what is left out stays."""

    roles = serializers.ListField(
        child=serializers.CharField(max_length=48), required=False, help_text="All their roles, by `name`"
    )
    is_active = serializers.BooleanField(required=False)


class SecuritySettingsSerializer(serializers.Serializer[Any]):
    """What a workspace asks of everybody who signs in."""

    two_factor_required = serializers.BooleanField(
        help_text="Who has no second factor sets one up at the next sign-in, and cannot switch it off"
    )


class PermissionSerializer(serializers.Serializer[Any]):
    """Something that a role can allow."""

    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    group = serializers.CharField()


class RoleSerializer(serializers.ModelSerializer[Role]):
    """A role. What built-in ones hold grows with the platform."""

    label = serializers.CharField(source="shown_label")  # type: ignore[assignment]
    permissions = serializers.SerializerMethodField()
    people_count = serializers.IntegerField()

    class Meta:
        model = Role
        fields = ["id", "name", "label", "permissions", "is_builtin", "people_count", "version"]
        read_only_fields = fields

    def get_permissions(self, role: Role) -> list[str]:
        """Return the keys, in order."""
        return sorted(role.granted)


class NewRoleSerializer(serializers.Serializer[Any]):
    """What a new role needs."""

    label = serializers.CharField(max_length=80)  # type: ignore[assignment]
    permissions = serializers.ListField(child=serializers.CharField(max_length=120))


class RoleChangeSerializer(serializers.Serializer[Any]):
    """What can be changed of a role; what is left out stays."""

    label = serializers.CharField(max_length=80, required=False)  # type: ignore[assignment]
    permissions = serializers.ListField(child=serializers.CharField(max_length=120), required=False)


class SignInSerializer(serializers.Serializer[SignInState]):
    """What stands in the way of somebody's sign-in, or asks for more."""

    person_id = serializers.SerializerMethodField()
    is_locked = serializers.BooleanField(help_text="After too many failures")
    locked_until = serializers.DateTimeField(allow_null=True, help_text="null also where the issuer does not say")
    has_second_factor = serializers.BooleanField()

    def get_person_id(self, state: SignInState) -> UUID:
        whose: UUID = self.context["person_id"]
        return whose
