from typing import Any

from django.http import HttpRequest

from accounts.principals import Principal


def person(request: HttpRequest) -> dict[str, Any]:
    """Context of every page: who is signed in."""
    user = getattr(request, "user", None)
    return {"person": user if isinstance(user, Principal) else None}
