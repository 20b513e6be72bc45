"""Moves a tenant's realm: from the built-in issuer to a Keycloak, between Keycloaks, and back.

old realm is current ─> the new one is made, with everybody in it ─> one transaction: the new one is current
                    ─> sessions end, the old realm is removed, who has no password there is invited to set one,
                        who had an app for codes hears whether it goes on

Until that transaction everything goes on at the old realm, and a move that was cut off is begun anew. Subjects stay the
same, so people, what they did and what refers to them stay as they are. The old realm is removed by a repetition, too.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from accounts.clients.models import ApiClient
from accounts.identity import models
from accounts.identity.builtin.accounts import PasswordHasher
from accounts.identity.builtin.provider import BuiltinProvider
from accounts.identity.keycloak import placement
from accounts.identity.keycloak.people import new_user
from accounts.identity.keycloak.provider import KeycloakProvider
from accounts.identity.keycloak.second_factors import SET_UP, app_credential
from accounts.identity.models import Realm
from accounts.identity.port import Account
from accounts.identity.realms import inside
from accounts.people.models import Person
from accounts.sessions.models import BrowserSession
from accounts.tasks import mail_password_link, mail_two_factor_notice, settle_two_factor_rule
from core import audit
from core.actors import Actor
from core.errors import Invalid
from core.tenancy import TenantRef, enter_platform
from tenants.models import Tenant
from tenants.services.changes import refuse_unless_in_use

BUILTIN = "builtin"
MOST_PEOPLE = 5_000  # one document, one transaction of Keycloak's


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move did: whose password and whose app came along, and who was invited to set a new one."""

    issuer: str
    kept: tuple[str, ...]
    invited: tuple[str, ...]
    codes_kept: tuple[str, ...]  # whose authenticator app goes on
    codes_anew: tuple[str, ...]  # who sets one up again at the next sign-in
    programs: tuple[str, ...]  # clients of programs, each of which needs a new secret


def move_realm(*, tenant: Tenant, to: str, actor: Actor) -> Moved:
    """Move a tenant's realm to the built-in issuer or to the Keycloak with this name. Safe to repeat.

    Raises Invalid for an unknown target or too many people, TenantNotActive, Unavailable and Rejected.
    """
    if to != BUILTIN and to not in settings.KEYCLOAK_SERVERS:
        raise Invalid(
            {"to": [_("Choose one of: %(choices)s.") % {"choices": ", ".join([BUILTIN, *settings.KEYCLOAK_SERVERS])}]}
        )
    refuse_unless_in_use(tenant)
    ref = tenant.ref
    with inside(ref), transaction.atomic():
        old = Realm.objects.get(is_current=True)
    if _is_at(old, to):
        _remove_others(ref, old)
        return Moved(_issuer_of(ref), (), (), (), (), ())
    accounts = (BuiltinProvider() if old.provider == Realm.Provider.BUILTIN else KeycloakProvider()).list_accounts(ref)
    if len(accounts) > MOST_PEOPLE:
        raise Invalid({"to": [_("A realm with more than %(n)d people can't be moved at once.") % {"n": MOST_PEOPLE}]})
    hashes = _hashes(ref) if old.provider == Realm.Provider.BUILTIN else {}
    apps, with_codes = _apps(ref, old)
    programs = _programs(ref, old)
    if to == BUILTIN:
        _to_builtin(tenant, accounts, with_codes)
    else:
        anew = with_codes - apps.keys()
        users = [
            keycloak_user(one, hashes.get(one.subject), app=apps.get(one.subject, ""), set_up=one.subject in anew)
            for one in accounts
        ]
        _to_keycloak(tenant, to, users)
    _end_page_sessions(ref)
    with inside(ref), transaction.atomic():
        _remove_others(ref, Realm.objects.get(is_current=True))
    kept = [account for account in accounts if to != BUILTIN and account.subject in hashes]
    invited = [account for account in accounts if account not in kept and account.is_active]
    codes_kept = [account for account in accounts if account.subject in apps]
    codes_anew = [account for account in accounts if account.subject in with_codes and account not in codes_kept]
    with inside(ref):
        settle_two_factor_rule.delay()
        for account in invited:
            mail_password_link.delay(subject=account.subject)
        for account in codes_kept + codes_anew:
            if account.is_active:
                change = "moved" if account in codes_kept else "lost"
                mail_two_factor_notice.delay(account.subject, change)
    _record(tenant, old, to, actor, kept=len(kept), invited=len(invited), codes_kept=len(codes_kept))
    return Moved(
        _issuer_of(ref),
        tuple(account.email for account in kept),
        tuple(account.email for account in invited),
        tuple(account.email for account in codes_kept),
        tuple(account.email for account in codes_anew),
        tuple(programs),
    )


def _is_at(realm: Realm, to: str) -> bool:
    return realm.server == to if realm.provider == Realm.Provider.KEYCLOAK else to == BUILTIN


def _issuer_of(ref: TenantRef) -> str:
    from accounts.identity.realms import current_realm

    with inside(ref):
        return current_realm().issuer


# --- to a Keycloak --------------------------------------------------------------------------------------


def _to_keycloak(tenant: Tenant, to: str, users: list[dict[str, Any]]) -> None:
    ref, identity = tenant.ref, KeycloakProvider()
    server = placement.server_named(to)
    with inside(ref), transaction.atomic():
        begun = Realm.objects.filter(provider=Realm.Provider.KEYCLOAK, server=to, is_current=False)
        row = begun.exclude(admin_secret="").first()
    if row:  # of a move that was cut off: people may have changed since
        identity.remove(ref, row)
    row = identity.begin_row(ref, server, current=False)
    identity.post_realm(ref, row, users)
    with inside(ref), transaction.atomic():
        old = Realm.objects.select_for_update().get(is_current=True)
        Realm.objects.filter(pk=old.pk).update(is_current=False)
        Realm.objects.filter(pk=row.pk).update(is_current=True)
        _follow(old, row)
    _place(tenant, to)


def keycloak_user(
    account: Account, password_hash: str | None, *, app: str = "", set_up: bool = False
) -> dict[str, Any]:
    """Return an account as a realm's document has it: the same subject, the same password if its hash fits, and the app
    with this secret; or, with `set_up`, one is set up at the next sign-in.
    """
    user = {**new_user(account.email, account.name), "id": account.subject, "enabled": account.is_active}
    credentials = []
    if password_hash:
        _algorithm, iterations, salt, value = password_hash.split("$")
        secret = {"value": value, "salt": base64.b64encode(salt.encode()).decode()}
        kind = {"hashIterations": int(iterations), "algorithm": "pbkdf2-sha256"}
        credentials.append({"type": "password", "secretData": json.dumps(secret), "credentialData": json.dumps(kind)})
    if app:
        credentials.append(app_credential(app))
    return {**user, "credentials": credentials, "requiredActions": [SET_UP] if set_up else []}


def _apps(ref: TenantRef, old: Realm) -> tuple[dict[str, str], set[str]]:
    """Return the secrets of people's apps by subject, as far as they can be read, and whoever needs a code to sign in."""
    if old.provider == Realm.Provider.KEYCLOAK:  # which tells nobody a secret
        return {}, KeycloakProvider().list_with_second_factor(ref)
    with inside(ref), transaction.atomic():
        apps = {str(app.account_id): app.secret for app in models.Authenticator.objects.all()}
        asked = models.Account.objects.filter(two_factor=True).values_list("pk", flat=True)
        return apps, {*apps, *map(str, asked)}


def _hashes(ref: TenantRef) -> dict[str, str]:
    """Return the hashes that Keycloak can check, by subject: Django's PBKDF2 with SHA-256."""
    with inside(ref), transaction.atomic():
        fits = Q(password__startswith=f"{PasswordHasher.algorithm}$")
        found = models.Account.objects.filter(fits).values_list("pk", "password")
        return {str(pk): password for pk, password in found}


# --- to the built-in issuer -----------------------------------------------------------------------------


def _to_builtin(tenant: Tenant, accounts: Iterable[Account], with_codes: set[str]) -> None:
    ref = tenant.ref
    with inside(ref), transaction.atomic():
        old = Realm.objects.select_for_update().get(is_current=True)
        Realm.objects.filter(pk=old.pk).update(is_current=False)
        BuiltinProvider().make_realm(ref)
        row = Realm.objects.get(is_current=True)
        for account in accounts:
            made = models.Account(
                pk=UUID(account.subject),
                email=account.email.lower(),
                name=account.name[:120],
                is_active=account.is_active,
                two_factor=account.subject in with_codes,
            )
            made.set_unusable_password()
            made.save(force_insert=True)
        _follow(old, row)
    _place(tenant, "")


# --- after it ---------------------------------------------------------------------------------------------


def _follow(old: Realm, new: Realm) -> None:
    """People come along. Programs wait for somebody to give them a secret: nobody can read the one that they have."""
    Person.objects.filter(realm_id=old.pk).update(realm_id=new.pk)
    ApiClient.objects.filter(realm_id=old.pk).update(realm_id=new.pk, needs_secret=True)


def _place(tenant: Tenant, server: str) -> None:
    with enter_platform():
        Tenant.objects.filter(pk=tenant.pk).update(identity_server=server, identity_open=True)


def _remove_others(ref: TenantRef, current: Realm) -> None:
    """Remove what is left of realms that were current before."""
    with inside(ref), transaction.atomic():
        others = list(Realm.objects.filter(provider=Realm.Provider.KEYCLOAK).exclude(pk=current.pk))
    for row in others:
        if row.admin_secret:
            KeycloakProvider().remove(ref, row)
    if current.provider == Realm.Provider.KEYCLOAK:
        BuiltinProvider().empty_realm(ref)


def _end_page_sessions(ref: TenantRef) -> None:
    """Let everybody sign in anew: what sessions hold of the old issuer is worth nothing. The old realm ends its own."""
    with inside(ref), transaction.atomic():
        BrowserSession.objects.all().delete()


def _programs(ref: TenantRef, realm: Realm) -> list[str]:
    if realm.provider == Realm.Provider.KEYCLOAK:
        return KeycloakProvider().list_programs(ref)
    with inside(ref), transaction.atomic():
        grant = models.Application.GRANT_CLIENT_CREDENTIALS
        return list(
            models.Application.objects.filter(authorization_grant_type=grant).values_list("client_id", flat=True)
        )


@transaction.atomic
def _record(tenant: Tenant, old: Realm, to: str, actor: Actor, **numbers: int) -> None:
    facts: dict[str, Any] = {"from": old.server or BUILTIN, "to": to, **numbers}
    audit.record(actor=actor, action="tenant.realm_moved", target=tenant, **facts)
