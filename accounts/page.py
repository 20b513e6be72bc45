from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from accounts.principals import Principal
from accounts.sessions import is_issuer_path


def person(request: HttpRequest) -> dict[str, Any]:
    """Context of every page: who is signed in, and where this page's session switches the language."""
    user = getattr(request, "user", None)
    context: dict[str, Any] = {"person": user if isinstance(user, Principal) else None}
    if is_issuer_path(request):
        context["language_url"] = reverse("issuer_language")
    return context
