"""The identity port's built-in adapter: rows in the realm's own schema."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from oauth2_provider.models import (
    AbstractApplication,
    get_access_token_model,
    get_device_grant_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)

from accounts.identity.addresses import builtin_issuer
from accounts.identity.builtin import keys, links
from accounts.identity.models import CLI_CLIENT_ID, WEB_CLIENT_ID, Account, Application, PasswordLink, Realm, SigningKey
from accounts.identity.port import NewAccount
from core.tenancy import TenantRef, current, enter, enter_platform


@contextmanager
def _inside(ref: TenantRef | None) -> Iterator[None]:
    if ref == current():
        yield
    elif ref:
        with enter(ref):
            yield
    else:
        with enter_platform():
            yield


def _has_tables(ref: TenantRef | None) -> bool:
    """Say whether the schema is there, and open to the tenant's role; a deleted tenant has neither."""
    if ref is None:
        return True
    with enter_platform(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_roles r"
            " WHERE n.nspname = %s AND c.relname = %s AND r.rolname = %s"
            " AND has_schema_privilege(r.oid, n.oid, 'USAGE') AND has_table_privilege(r.oid, c.oid, 'SELECT')"
            " AND pg_has_role(current_user, r.oid, 'SET'))",
            [ref.schema, Realm._meta.db_table, ref.role],
        )
        row = cursor.fetchone()
        return bool(row and row[0])


def _issuers_models() -> list[Any]:
    """Return every table that the issuer writes; their foreign keys are checked when the transaction ends."""
    tokens: list[Any] = [
        get_access_token_model(),  # type: ignore[no-untyped-call]
        get_refresh_token_model(),  # type: ignore[no-untyped-call]
        get_id_token_model(),  # type: ignore[no-untyped-call]
        get_grant_model(),  # type: ignore[no-untyped-call]
        get_device_grant_model(),  # type: ignore[no-untyped-call]
    ]
    return [*tokens, PasswordLink, Account, Application, SigningKey]


class BuiltinProvider:
    """Keeps realms in PostgreSQL. A tenant's goes with the tenant's schema."""

    def make_realm(self, ref: TenantRef | None) -> str:
        """Make keys, the pages' client and the command line's client."""
        with _inside(ref), transaction.atomic():
            if not SigningKey.objects.exists():
                keys.make_key()
            if not Realm.objects.filter(is_current=True).exclude(client_secret="").exists():
                self._make_clients()  # a realm that was restored comes without secrets
            return builtin_issuer()

    def _make_clients(self) -> None:
        secret = secrets.token_urlsafe(48)
        clients = {"provider": Realm.Provider.BUILTIN, "client_id": WEB_CLIENT_ID, "client_secret": secret}
        Realm.objects.update_or_create(is_current=True, defaults=clients)
        Application.objects.create(
            client_id=WEB_CLIENT_ID,
            client_secret=make_password(secret, hasher="pbkdf2_sha256_client_secret"),
            client_type=AbstractApplication.CLIENT_CONFIDENTIAL,
            authorization_grant_type=AbstractApplication.GRANT_AUTHORIZATION_CODE,
            algorithm=AbstractApplication.RS256_ALGORITHM,
            skip_authorization=True,
            name="Plexica",
        )
        Application.objects.create(
            client_id=CLI_CLIENT_ID,
            client_secret="",
            hash_client_secret=False,
            client_type=AbstractApplication.CLIENT_PUBLIC,
            authorization_grant_type=AbstractApplication.GRANT_DEVICE_CODE,
            algorithm=AbstractApplication.RS256_ALGORITHM,
            name="Plexica command line",
        )

    def realm_exists(self, ref: TenantRef | None) -> bool:
        if not _has_tables(ref):
            return False
        with _inside(ref), transaction.atomic():
            return Realm.objects.filter(is_current=True).exists()

    def delete_realm(self, ref: TenantRef | None) -> None:
        """Delete accounts, clients, keys and tokens. The realm's row stays, without its secret, for people point to it."""
        if not _has_tables(ref):
            return
        with _inside(ref), transaction.atomic():
            # row by row through the models, Django would ask for operators too, whose table no tenant has
            for model in _issuers_models():
                model._base_manager.all()._raw_delete(connection.alias)
            Realm.objects.update(is_current=False, client_secret="")

    def make_account(self, ref: TenantRef | None, *, email: str, name: str, password: str | None = None) -> NewAccount:
        with _inside(ref), transaction.atomic():
            account, created = Account.objects.get_or_create(
                email=email.strip().lower(), defaults={"name": name, "password": make_password(password)}
            )
            return NewAccount(subject=str(account.pk), created=created)

    def count_accounts(self, ref: TenantRef | None) -> int:
        with _inside(ref), transaction.atomic():
            return Account.objects.count()

    def set_password(self, ref: TenantRef | None, *, subject: str, password: str) -> None:
        with _inside(ref):
            Account.objects.filter(pk=subject).update(password=make_password(password))

    def make_password_link(self, ref: TenantRef | None, *, subject: str) -> str:
        with _inside(ref):
            return links.make_password_link(Account.objects.get(pk=subject))
