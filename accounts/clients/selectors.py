from uuid import UUID

from django.db.models import QuerySet

from accounts.clients.models import ApiClient
from core.errors import NotFound


def list_clients(*, query: str = "") -> QuerySet[ApiClient]:
    """Return the API clients of the tenant or of the platform, newest first; `query` looks into the name."""
    found = ApiClient.objects.order_by("-created_at", "-id")
    return found.filter(name__icontains=query) if query else found


def get_client(client_id: UUID) -> ApiClient:
    """Return an API client by the row's id. Raises NotFound."""
    found = ApiClient.objects.filter(pk=client_id).first()
    if found is None:
        raise NotFound
    return found


def find_calling(*, realm_id: UUID, client_id: str, subject: str) -> ApiClient | None:
    """Return the client of a token if it may call now, or None."""
    found = ApiClient.objects.filter(realm_id=realm_id, client_id=client_id, subject=subject, revoked_at=None).first()
    return found if found and found.is_active else None
