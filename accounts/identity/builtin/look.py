"""What the built-in issuer's pages have in common: their look, and where they lead."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme


def look(request: HttpRequest) -> dict[str, Any]:
    """Return the context of each of these pages."""
    # the pages' own address for the language belongs to another session, which would refuse the token of this one
    return {"console": getattr(request, "tenant", None) is None, "language_url": reverse("set_language_at_issuer")}


def start_url(request: HttpRequest) -> str:
    """Return where a sign-in to this address begins."""
    onward = "/" if getattr(request, "tenant", None) else "/console/"
    return f"{reverse('oidc_authentication_init')}?{urlencode({'next': onward})}"


def safe_next(request: HttpRequest) -> str:
    """Return where to go after signing in: a path of this host, else the start page."""
    onward = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(
        onward, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return onward if safe and onward.startswith("/") else "/"
