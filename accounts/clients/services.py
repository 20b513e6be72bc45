from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.clients.errors import ApiClientOver
from accounts.clients.models import SUPER_ADMIN, ApiClient
from accounts.clients.selectors import get_client
from accounts.identity import provider
from accounts.identity.models import API_CLIENT_PREFIX
from accounts.identity.port import NewClient
from accounts.identity.realms import current_realm
from accounts.people.services.limits import refuse_beyond
from accounts.permissions import registered
from accounts.principals import name_faults
from core import audit
from core.actors import Actor
from core.errors import Invalid
from core.ids import uuid7
from core.tenancy import current
from events import publish
from plexica_sdk.events import ApiClientMade, ApiClientRevoked, ApiClientSecretRenewed

USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class MadeClient:
    """A client, and its new secret, which nobody can read again."""

    client: ApiClient
    secret: str = field(repr=False)


def make_client(*, name: str, permissions: Collection[str], expires_at: datetime | None, actor: Actor) -> MadeClient:
    """Make a client in the realm of the tenant, or of the platform, and return it with its secret.

    Raises Invalid, and RightsExceeded for permissions that who makes it lacks.
    """
    _check(name, permissions, expires_at)
    if current():
        refuse_beyond(actor, keys=permissions)
    realm = current_realm()
    made = provider().make_client(current(), client_id=f"{API_CLIENT_PREFIX}{uuid7().hex}", name=name.strip())
    try:
        client = _write(
            made=made,
            realm_id=realm.id,
            name=name.strip(),
            permissions=sorted(permissions),
            expires_at=expires_at,
            actor=actor,
        )
    except BaseException:
        provider().delete_client(current(), made.client_id)
        raise
    return MadeClient(client, made.secret)


@transaction.atomic
def _write(
    *, made: NewClient, realm_id: UUID, name: str, permissions: list[str], expires_at: datetime | None, actor: Actor
) -> ApiClient:
    client = ApiClient.objects.create(
        realm_id=realm_id,
        client_id=made.client_id,
        subject=made.subject,
        name=name,
        permissions=permissions,
        expires_at=expires_at,
        created_by_name=actor.name[:120],
    )
    audit.record(actor=actor, action="api_client.made", target=client, permissions=permissions)
    if current():
        publish(ApiClientMade(api_client_id=client.pk), actor=actor)
    return client


def renew_secret(*, client_id: UUID, actor: Actor) -> MadeClient:
    """Give a client another secret, in the realm that its address has now; the one of before buys no tokens any more.

    Safe to repeat. Raises NotFound, ApiClientOver, and RightsExceeded for permissions that who asks lacks: whoever has the
    secret has them.
    """
    client = get_client(client_id)
    if client.is_over:
        raise ApiClientOver(name=client.name)
    if current():
        refuse_beyond(actor, keys=client.permissions)
    made = provider().make_client(current(), client_id=client.client_id, name=client.name)
    try:
        return MadeClient(_renew(client_id, made=made, realm_id=current_realm().id, actor=actor), made.secret)
    except ApiClientOver:  # revoked meanwhile: the realm may have been told before it was asked for this secret
        provider().delete_client(current(), made.client_id)
        raise


@transaction.atomic
def _renew(client_id: UUID, *, made: NewClient, realm_id: UUID, actor: Actor) -> ApiClient:
    client = ApiClient.objects.select_for_update().get(pk=client_id)
    if client.is_over:
        raise ApiClientOver(name=client.name)
    client.realm_id, client.subject, client.needs_secret = realm_id, made.subject, False
    client.save(update_fields=["realm", "subject", "needs_secret"])
    audit.record(actor=actor, action="api_client.secret_renewed", target=client)
    if current():
        publish(ApiClientSecretRenewed(api_client_id=client.pk), actor=actor)
    return client


@transaction.atomic
def revoke_client(*, client_id: UUID, actor: Actor) -> ApiClient:
    """Stop a client: its tokens are worth nothing from the next call on. Safe to repeat. Raises NotFound."""
    from accounts.tasks import forget_client

    get_client(client_id)
    client = ApiClient.objects.select_for_update().get(pk=client_id)
    if client.revoked_at:
        return client
    client.revoked_at = timezone.now()
    client.save(update_fields=["revoked_at"])
    audit.record(actor=actor, action="api_client.revoked", target=client)
    if current():
        publish(ApiClientRevoked(api_client_id=client.pk), actor=actor)
    # what the realm still gives is refused here; it is told as soon as it answers
    transaction.on_commit(partial(forget_client.delay, client.client_id), robust=True)
    return client


def note_use(client: ApiClient) -> None:
    """Note that a client called, at most once a minute."""
    now = timezone.now()
    if client.last_used_at is None or client.last_used_at < now - USE_NOTED_EVERY:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_NOTED_EVERY)
        ApiClient.objects.filter(stale, pk=client.pk).update(last_used_at=now)


def _check(name: str, permissions: Collection[str], expires_at: datetime | None) -> None:
    errors: dict[str, list[str]] = {}
    if faults := name_faults(name):
        errors["name"] = faults
    known = set(registered()) if current() else {SUPER_ADMIN}
    if unknown := sorted(set(permissions) - known):
        errors["permissions"] = [_("There is no permission %(key)s.") % {"key": key} for key in unknown]
    if expires_at and expires_at <= timezone.now():
        errors["expires_at"] = [_("Choose a moment that is yet to come.")]
    if errors:
        raise Invalid(errors)
