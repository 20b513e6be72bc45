"""What a deletion is made of: each step undone, the traces that a tenant leaves elsewhere, the proof that all is gone."""

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

from django.conf import settings
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from tenants.errors import SomethingLeft
from tenants.models import Tenant
from tenants.steps import Outcome, TenantStep, tenant_steps


class TenantTrace:
    """Something that remembers a tenant and is no step of its own: rows, cache entries. `settings.TENANT_TRACES` lists them."""

    key: ClassVar[str]
    label: ClassVar[str | Promise]

    def count(self, tenant: Tenant) -> int:
        """Return how many there are."""
        raise NotImplementedError

    def remove(self, tenant: Tenant) -> None:
        """Remove all of them. Safe to repeat."""
        raise NotImplementedError


def tenant_traces() -> tuple[TenantTrace, ...]:
    """Return the traces of `settings.TENANT_TRACES`."""
    return _traces(tuple(settings.TENANT_TRACES))


@cache
def _traces(paths: tuple[str, ...]) -> tuple[TenantTrace, ...]:
    return tuple(import_string(path)() for path in paths)


def what_is_left(tenant: Tenant) -> dict[str, int]:
    """Look for everything that a tenant may own or leave behind, and count it, by kind."""
    left: dict[str, int] = {}
    for step in tenant_steps():
        left |= dict.fromkeys(step.makes, 0)
        for leftover in step.what_is_left(tenant):
            left[leftover.kind] = left.get(leftover.kind, 0) + 1
    return left | {trace.key: trace.count(tenant) for trace in tenant_traces()}


def labels() -> dict[str, str]:
    """Return what people call each kind that `what_is_left` counts."""
    named: dict[str, Mapping[str, Any]] = {step.key: step.makes for step in tenant_steps()}
    made = {kind: str(label) for kinds in named.values() for kind, label in kinds.items()}
    return made | {trace.key: str(trace.label) for trace in tenant_traces()}


class RemovalStep(TenantStep):
    """Undoes a step of provisioning and looks that nothing stays of it."""

    def __init__(self, step: TenantStep) -> None:
        self.step = step
        self.key, self.label = step.key, step.label  # type: ignore[misc]

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> str:
        gone = ", ".join(leftover.name for leftover in self.step.what_is_left(tenant))
        self.step.undo(tenant)
        if left := self.step.what_is_left(tenant):
            raise SomethingLeft(left=", ".join(map(str, left)))
        return gone


class TracesStep(TenantStep):
    """Removes what remembers the tenant in `public`, in the cache, and in queues."""

    key = "traces"
    label = _("Rows and cache entries elsewhere")

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> Outcome:
        found = {trace.key: trace.count(tenant) for trace in tenant_traces()}
        for trace in tenant_traces():
            trace.remove(tenant)
        number = sum(found.values())
        said = ngettext("%(number)d entry removed", "%(number)d entries removed", number) % {"number": number}
        return Outcome(said, {"removed": found})


class ProofStep(TenantStep):
    """Looks again at everything, and says what there is: zero of each, or the deletion goes on."""

    key = "proof"
    label = _("Proof that nothing is left")

    def run(self, tenant: Tenant, inputs: dict[str, Any]) -> Outcome:
        if any(what_is_left(tenant).values()):  # something that was under way when it was removed brought it back
            _remove_again(tenant)
        left = what_is_left(tenant)
        if any(left.values()):
            named = labels()
            raise SomethingLeft(left=", ".join(f"{named.get(kind, kind)}: {n}" for kind, n in left.items() if n))
        said = ngettext("%(number)d kind looked at", "%(number)d kinds looked at", len(left)) % {"number": len(left)}
        return Outcome(said, {"left": left, "looked_at": timezone.now().isoformat()})


def _remove_again(tenant: Tenant) -> None:
    for step in reversed(tenant_steps()):
        if step.what_is_left(tenant):
            step.undo(tenant)
    for trace in tenant_traces():
        if trace.count(tenant):
            trace.remove(tenant)
