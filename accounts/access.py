"""Who may: guards for views."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from accounts.operators.models import Operator
from accounts.people.models import Person

View = Callable[..., HttpResponseBase]


class MemberRequest(HttpRequest):
    """A request of a signed-in person of the tenant."""

    user: Person  # type: ignore[assignment]


class OperatorRequest(HttpRequest):
    """A request of a signed-in operator."""

    user: Operator  # type: ignore[assignment]


def member_required(view: View) -> View:
    """Let the tenant's people in; send others to the realm's sign-in page and back."""
    return _only(Person, view)


def operator_required(view: View) -> View:
    """Let operators in; send others to the platform's sign-in page and back."""
    return _only(Operator, view)


def _only(kind: type, view: View) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if isinstance(request.user, kind):
            return view(request, *args, **kwargs)
        return ask_to_sign_in(request)

    guarded.access = kind.__name__.lower()  # type: ignore[attr-defined]
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
