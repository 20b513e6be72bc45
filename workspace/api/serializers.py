from rest_framework import serializers

from accounts.people.models import Person, Role


class PersonSerializer(serializers.ModelSerializer[Person]):
    """A person of the workspace."""

    roles: serializers.SlugRelatedField[Role] = serializers.SlugRelatedField(
        slug_field="name", many=True, read_only=True
    )

    class Meta:
        model = Person
        fields = ["id", "email", "name", "language", "time_zone", "roles", "is_active", "last_sign_in_at"]
        read_only_fields = fields
