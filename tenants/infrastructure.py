"""Looks at what a tenant consists of: is each part there, does it answer, how large is it.

`settings.TENANT_CHECKS` lists the parts. What was found is kept in the cache, among the tenant's own entries, until
somebody looks again: it goes with the tenant.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache as keep
from typing import Any, ClassVar, Literal

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import PlexicaError
from core.tenancy import enter
from tenants.directory import address_of, find_by_host
from tenants.models import Tenant
from tenants.schemas.facts import read_role_facts, read_schema_facts

KEPT_S = 24 * 3600
KEY = "infrastructure"
Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What pages say of a part: the state, and what else is known of it."""

    tone: Literal["ok", "warn", "bad"]
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found at one time, by the part's key. Facts are kept, not words: each reader has a language."""

    at: datetime
    found: Mapping[str, Facts]


class TenantCheck:
    """A part of every tenant that can be looked at."""

    key: ClassVar[str]
    label: ClassVar[str | Promise]

    def name_of(self, tenant: Tenant) -> str:
        """Return what programs call the part."""
        raise NotImplementedError

    def look(self, tenant: Tenant) -> Facts:
        """Look at the part itself, not at a record of it, and return facts as plain values."""
        raise NotImplementedError

    def say(self, facts: Facts) -> Verdict:
        """Return what the facts mean, in the reader's language."""
        raise NotImplementedError


def tenant_checks() -> tuple[TenantCheck, ...]:
    """Return the checks of `settings.TENANT_CHECKS`."""
    return _checks(tuple(settings.TENANT_CHECKS))


@keep
def _checks(paths: tuple[str, ...]) -> tuple[TenantCheck, ...]:
    return tuple(import_string(path)() for path in paths)


def look_at(tenant: Tenant) -> Look:
    """Look at every part now and keep what is found. Takes as long as the parts take to answer."""
    look = Look(at=timezone.now(), found={check.key: _found(check, tenant) for check in tenant_checks()})
    with enter(tenant.ref):
        cache.set(KEY, look, KEPT_S)
    return look


def last_look(tenant: Tenant) -> Look | None:
    """Return what was found the last time, or None if that was never or more than a day ago."""
    with enter(tenant.ref):
        look: Look | None = cache.get(KEY)
    return look


def verdict_of(check: TenantCheck, look: Look | None) -> Verdict | None:
    """Return what the look says of a part; None without a look."""
    facts = look.found.get(check.key) if look else None
    if facts is None:
        return None
    if "error" in facts:
        return Verdict("bad", _("Does not answer"), str(facts["error"]))
    return check.say(facts)


def _found(check: TenantCheck, tenant: Tenant) -> Facts:
    try:
        return check.look(tenant)
    except PlexicaError as error:
        return {"error": str(error.title)}
    except DatabaseError as error:
        return {"error": str(error).partition("\n")[0]}


class AddressCheck(TenantCheck):
    """Whether the address leads to the tenant."""

    key = "address"
    label = gettext_lazy("Address")

    def name_of(self, tenant: Tenant) -> str:
        return address_of(tenant.slug)

    def look(self, tenant: Tenant) -> Facts:
        ref = find_by_host(f"{tenant.slug}.{settings.PUBLIC_HOST}")
        return {
            "leads_here": ref is not None and ref.id == tenant.pk,
            "open": ref is not None and ref.state == "active",
        }

    def say(self, facts: Facts) -> Verdict:
        if not facts["leads_here"]:
            return Verdict("bad", _("Leads nowhere"))
        return Verdict("ok", _("Leads here")) if facts["open"] else Verdict("warn", _("Lets nobody in"))


class SchemaCheck(TenantCheck):
    """Whether the schema is there, how large it is, and how far it is migrated."""

    key = "schema"
    label = gettext_lazy("Schema")

    def name_of(self, tenant: Tenant) -> str:
        return str(tenant.schema_name)

    def look(self, tenant: Tenant) -> Facts:
        facts = read_schema_facts(tenant.ref)
        if facts is None:
            return {"exists": False}
        return {
            "exists": True,
            "tables": facts.tables,
            "size_bytes": facts.size_bytes,
            "applied": facts.applied,
            "known": facts.known,
        }

    def say(self, facts: Facts) -> Verdict:
        if not facts["exists"]:
            return Verdict("bad", _("Missing"))
        text = _("%(applied)d of %(known)d migrations") % {"applied": facts["applied"], "known": facts["known"]}
        return Verdict("ok" if facts["applied"] == facts["known"] else "warn", text)


class RoleCheck(TenantCheck):
    """Whether the database role is there, and reaches nothing but its own schema."""

    key = "role"
    label = gettext_lazy("Database role")

    def name_of(self, tenant: Tenant) -> str:
        return str(tenant.role_name)

    def look(self, tenant: Tenant) -> Facts:
        facts = read_role_facts(tenant.ref)
        if facts is None:
            return {"exists": False}
        return {"exists": True, "foreign_schemas": facts.foreign_schemas, "has_powers": facts.has_powers}

    def say(self, facts: Facts) -> Verdict:
        if not facts["exists"]:
            return Verdict("bad", _("Missing"))
        if facts["foreign_schemas"] or facts["has_powers"]:
            return Verdict("bad", _("May do more than it should"))
        return Verdict("ok", _("Own schema only"))
