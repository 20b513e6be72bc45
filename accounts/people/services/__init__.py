"""Changes a tenant's people and their roles."""

from accounts.people.services.members import change_member, disable_person, enable_person, remove_person, set_roles
from accounts.people.services.people import (
    BUILTIN_ROLES,
    add_person,
    check_profile,
    make_builtin_roles,
    mirror_person,
    record_sign_in,
    update_profile,
)
from accounts.people.services.roles import change_role, delete_role, make_role

__all__ = [
    "BUILTIN_ROLES",
    "add_person",
    "change_member",
    "change_role",
    "check_profile",
    "delete_role",
    "disable_person",
    "enable_person",
    "make_builtin_roles",
    "make_role",
    "mirror_person",
    "record_sign_in",
    "remove_person",
    "set_roles",
    "update_profile",
]
