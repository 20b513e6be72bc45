import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core import audit
from core.actors import SYSTEM, Actor
from core.errors import Invalid
from core.idempotency.services import IdempotentCall, recall, remember
from core.time_zones import known_time_zones
from events import publish
from plexica_sdk.events import TenantActivated, TenantProvisioningFailed, TenantRequested
from tenants.errors import LinkAlreadyShown, SlugTaken
from tenants.kinds import OperationKind
from tenants.models import Domain, Operation, Tenant
from tenants.naming import check_name, check_text
from tenants.selectors import get_operation, installation_code
from tenants.services.operations import ADOPT, CLEAN, begin_operation
from tenants.slugs import validate_slug
from tenants.steps import TenantStep, tenant_steps


class Provisioning(OperationKind):
    """Gives a tenant everything on `settings.TENANT_STEPS`; what fails for good is undone and frees the slug."""

    looks_for_leftovers = True

    def steps(self, inputs: dict[str, Any]) -> tuple[TenantStep, ...]:
        return tenant_steps()

    def succeeded(self, operation: Operation) -> None:
        """Make the tenant active."""
        tenant = Tenant.objects.select_for_update().get(pk=operation.tenant_id)
        tenant.status = Tenant.Status.ACTIVE
        tenant.activated_at = timezone.now()
        tenant.version += 1
        tenant.save(update_fields=["status", "activated_at", "version"])
        audit.record(actor=SYSTEM, action="tenant.activated", target=tenant, operation=str(operation.pk))
        publish(TenantActivated(tenant_id=tenant.pk))

    def failed(self, operation: Operation) -> None:
        """Mark the tenant as failed and free its slug and address."""
        tenant = Tenant.objects.select_for_update().get(pk=operation.tenant_id)
        tenant.status = Tenant.Status.FAILED
        tenant.version += 1
        tenant.save(update_fields=["status", "version"])
        tenant.domains.all().delete()
        audit.record(
            actor=SYSTEM,
            action="tenant.provisioning_failed",
            target=tenant,
            operation=str(operation.pk),
            code=operation.error_code,
        )
        publish(TenantProvisioningFailed(tenant_id=tenant.pk))


@transaction.atomic
def request_tenant(  # noqa: PLR0913 - each is a field of the form
    *,
    slug: str,
    name: str,
    admin_email: str,
    admin_name: str = "",
    language: str = "",
    time_zone: str = "UTC",
    leftovers: str = "",
    actor: Actor,
    call: IdempotentCall | None = None,
    kind: Operation.Kind = Operation.Kind.PROVISION,
    more_inputs: Mapping[str, Any] = MappingProxyType({}),
) -> Operation:
    """Write a tenant and the operation that sets it up, and wake a worker; return the operation at once.

    Nothing but rows is made here. `leftovers` says what to do about things of an earlier life under the tenant's names:
    nothing (the operation stops and names them), "adopt" or "clean". With `call`, a repetition returns the operation of
    the first call. Another `kind` of setting up, with inputs of its own, is asked for by its own service.

    Raises Invalid for wrong values and SlugTaken if a living tenant has the slug; nothing is written then.
    """
    if call and (known := recall(call)):
        return get_operation(UUID(known.location))
    admin_name = admin_name.strip() or admin_email.partition("@")[0][:120]
    _check(
        slug=slug,
        name=name,
        admin_email=admin_email,
        admin_name=admin_name,
        language=language,
        time_zone=time_zone,
        leftovers=leftovers,
    )
    tenant = Tenant.new(
        installation=installation_code(),
        slug=slug,
        name=name.strip(),
        admin_email=admin_email.strip(),
        admin_name=admin_name,
    )
    try:
        with transaction.atomic():
            tenant.save(force_insert=True)
            _reserve_address(tenant)
    except IntegrityError:
        raise SlugTaken(slug=slug) from None
    operation = begin_operation(
        tenant=tenant,
        kind=kind,
        inputs={"language": language, "time_zone": time_zone, "leftovers": leftovers, **more_inputs},
        actor=actor,
    )
    audit.record(actor=actor, action="tenant.requested", target=tenant, operation=str(operation.pk))
    publish(TenantRequested(tenant_id=tenant.pk), actor=actor)
    if call:
        remember(call, status=202, location=str(operation.pk))
    return operation


def _reserve_address(tenant: Tenant) -> None:
    """Write the tenant's domain, so that nobody else gets it. One that a tenant left behind is for its step to find."""
    other = Domain.objects.filter(domain=tenant.slug).select_related("tenant").first()
    if other is None:
        Domain.objects.create(domain=tenant.slug, tenant=tenant)
    elif other.tenant.status not in Tenant.GONE:
        raise SlugTaken(slug=tenant.slug)


def _check(**values: str) -> None:
    errors: dict[str, list[str]] = {}
    for field, check in _CHECKS.items():
        try:
            check(values[field])
        except ValidationError as error:
            errors[field] = list(error.messages)
    if errors:
        raise Invalid(errors)


def _check_language(language: str) -> None:
    if language and language not in dict(settings.LANGUAGES):
        raise ValidationError(_("Choose one of: %(languages)s.") % {"languages": ", ".join(dict(settings.LANGUAGES))})


def _check_time_zone(time_zone: str) -> None:
    if time_zone not in known_time_zones():
        raise ValidationError(_("This time zone is not known. Use a name such as Europe/Rome."))


def _check_leftovers(leftovers: str) -> None:
    if leftovers not in ("", ADOPT, CLEAN):
        raise ValidationError(_("Choose adopt or clean, or nothing."))


def _check_email(email: str) -> None:
    message = _("Enter an e-mail address such as name@example.com.")
    EmailValidator(message)(email)
    if len(email) > 254:
        raise ValidationError(message)


_CHECKS: dict[str, Any] = {
    "slug": validate_slug,
    "name": check_name,
    "admin_email": _check_email,
    "admin_name": check_text,
    "language": _check_language,
    "time_zone": _check_time_zone,
    "leftovers": _check_leftovers,
}


@transaction.atomic
def claim_first_admin_link(*, operation_id: UUID, actor: Actor) -> Tenant:
    """Take the one chance to see the first admin's set-password link; the caller makes and shows it.

    Raises LinkAlreadyShown from the second time on.
    """
    operation = Operation.objects.select_for_update().select_related("tenant").get(pk=operation_id)
    tenant = operation.tenant
    if operation.link_shown_at or operation.status != Operation.Status.SUCCEEDED:
        raise LinkAlreadyShown(email=tenant.admin_email)
    operation.link_shown_at = timezone.now()
    operation.save(update_fields=["link_shown_at"])
    audit.record(actor=actor, action="tenant.first_admin_link_shown", target=tenant)
    return tenant


def new_installation_code() -> str:
    """Return six random characters of a-z2-7."""
    return "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(6))
