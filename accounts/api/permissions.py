"""Who may call the API: each view says what each of its methods asks for.

    class RoleCollection(APIView):
        requires = {"GET": "team.view", "POST": "role.manage"}

On the platform's address operators of any role may read and super admins may change, unless `requires` says otherwise. API
clients are asked for the same.
"""

from collections.abc import Mapping
from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.access import PermissionMissing, demand, demand_super_admin
from accounts.clients.models import ApiClient
from accounts.operators.models import Operator
from accounts.people.models import Person
from core.tenancy import current

SIGNED_IN = "signed in"  # whoever belongs to the address
SUPER_ADMIN = "super admin"


class Requires(BasePermission):
    """Lets in who holds what the view's `requires` names for the method. A method that is not named is for nobody."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Raise what says what is missing; False only if nobody is signed in."""
        user: object = request.user
        method = "GET" if request.method == "HEAD" else str(request.method)
        if not isinstance(user, Person | Operator | ApiClient):
            return False
        if method == "OPTIONS" or not hasattr(view, method.lower()):  # the latter is answered with 405
            return True
        rules: Mapping[str, str] = getattr(view, "requires", {})
        if isinstance(user, Operator) or (isinstance(user, ApiClient) and current() is None):
            if rules.get(method, SIGNED_IN if method in SAFE_METHODS else SUPER_ADMIN) != SIGNED_IN:
                demand_super_admin(user)
            return True
        if method not in rules:
            raise PermissionMissing(permission="–")
        if rules[method] != SIGNED_IN:
            demand(request, rules[method])
        return True
