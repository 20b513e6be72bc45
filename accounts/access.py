"""Who may: guards for views, and the refusals that they answer.

@requires("team.invite")    people of the tenant who hold the permission
@member_required            people of the tenant
@operator_required          operators
@super_admin_required       operators who may change something
"""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from accounts.clients.models import ApiClient
from accounts.operators.models import Operator
from accounts.people.models import Person
from accounts.people.rights import can
from accounts.permissions import get_permission
from accounts.principals import Principal
from core.errors import Forbidden

View = Callable[..., HttpResponseBase]


class MemberRequest(HttpRequest):
    """A request of a signed-in person of the tenant."""

    user: Person  # type: ignore[assignment]
    can: Callable[..., bool]


class OperatorRequest(HttpRequest):
    """A request of a signed-in operator."""

    user: Operator  # type: ignore[assignment]


class PrincipalRequest(HttpRequest):
    """A request of somebody who is signed in: a person of the tenant, or on the platform an operator."""

    user: Principal  # type: ignore[assignment]


class PermissionMissing(Forbidden):
    """None of the person's roles has the permission, or it does not reach this thing."""

    code = "permission_missing"
    title = _("Your roles do not allow this")
    detail = _("It asks for the permission %(permission)s. An admin can give you a role that has it.")


class SuperAdminRequired(Forbidden):
    """An operator who may only look wants to change something."""

    code = "super_admin_required"
    title = _("You may look, but change nothing")
    detail = _("Your role is support. Ask a super admin to do it.")


def may(request: HttpRequest, key: str, thing: object = None) -> bool:
    """Say whether whoever is signed in may do something, and to `thing` if one is named: only people of a
    tenant may, and its API clients. Raises UnknownPermission.
    """
    user: object = request.user
    if isinstance(user, ApiClient):
        return get_permission(key).key in user.granted
    return isinstance(user, Person) and can(user, key, thing)


def demand(request: HttpRequest, key: str, thing: object = None) -> None:
    """Go on only if whoever is signed in may do it. Raises PermissionMissing."""
    if not may(request, key, thing):
        raise PermissionMissing(permission=key)


def demand_super_admin(operator: Operator | ApiClient) -> None:
    """Go on only if the operator may change something. Raises SuperAdminRequired."""
    if not operator.is_super_admin:
        raise SuperAdminRequired


def member_required(view: View) -> View:
    """Let the tenant's people in; send others to the realm's sign-in page and back."""
    return _only(Person, view)


def requires(key: str) -> Callable[[View], View]:
    """Let people in who hold a permission; other people get 403, and who is not signed in is sent to sign in."""

    def guard(view: View) -> View:
        return _only(Person, view, lambda request: demand(request, key), access=key)

    return guard


def operator_required(view: View) -> View:
    """Let operators in; send others to the platform's sign-in page and back."""
    return _only(Operator, view)


def principal_required(view: View) -> View:
    """Let in whoever is signed in at this address; send others to sign in and back."""
    return _only(Principal, view)


def super_admin_required(view: View) -> View:
    """Let operators in who may change something; others get 403, and who is not signed in is sent to sign in."""
    return _only(Operator, view, lambda request: demand_super_admin(request.user), access="super_admin")  # type: ignore[arg-type]


def _only(
    kind: type, view: View, check: Callable[[HttpRequest], None] = lambda request: None, access: str = ""
) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not isinstance(request.user, kind):
            return ask_to_sign_in(request)
        check(request)
        return view(request, *args, **kwargs)

    guarded.access = access or kind.__name__.lower()  # type: ignore[attr-defined]
    return guarded


def ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    """Redirect to sign-in; a fragment's request makes the whole page go there."""
    back = request.get_full_path() if request.method == "GET" and "HX-Request" not in request.headers else "/"
    if "HX-Request" in request.headers and request.headers.get("HX-Current-URL"):
        back = _path_of(request.headers["HX-Current-URL"], request)
    address = f"{reverse('oidc_authentication_init')}?{urlencode({'next': back})}"
    if "HX-Request" in request.headers:
        return HttpResponse(status=401, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def _path_of(url: str, request: HttpRequest) -> str:
    """Return the path of a page of this very host, else the front page."""
    prefix = f"{request.scheme}://{request.get_host()}"
    return url.removeprefix(prefix) if url.startswith(f"{prefix}/") else "/"
