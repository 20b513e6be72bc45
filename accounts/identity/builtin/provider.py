"""The identity port's built-in adapter: rows in the realm's own schema."""

import secrets
from typing import Any
from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.db.models import QuerySet
from oauth2_provider.models import AbstractApplication, get_access_token_model

from accounts.identity.addresses import builtin_issuer
from accounts.identity.builtin import keys
from accounts.identity.builtin.accounts import ClientSecretHasher
from accounts.identity.builtin.attempts import locked_until, unlock
from accounts.identity.builtin.authenticators import remove
from accounts.identity.builtin.sessions import end_own_sessions, end_sessions, token_models
from accounts.identity.links import make_password_link
from accounts.identity.models import (
    CLI_CLIENT_ID,
    WEB_CLIENT_ID,
    Account,
    Application,
    AttemptCounter,
    Authenticator,
    PasswordLink,
    Realm,
    RecoveryCode,
    SigningKey,
)
from accounts.identity.port import Account as Known
from accounts.identity.port import NewAccount, NewClient, SignInState
from accounts.identity.realms import inside, schema_is_there
from core.locks import one_at_a_time
from core.tenancy import TenantRef


def _issuers_models() -> list[Any]:
    """Return every table that the issuer writes; their foreign keys are checked when the transaction ends."""
    return [*token_models(), AttemptCounter, RecoveryCode, Authenticator, Account, Application, SigningKey]


SECRET_HASHER = ClientSecretHasher.algorithm


class BuiltinProvider:
    """Keeps realms in PostgreSQL. A tenant's goes with the tenant's schema."""

    def make_realm(self, ref: TenantRef | None) -> str:
        """Make keys, the pages' client and the command line's client."""
        with inside(ref), transaction.atomic():
            one_at_a_time("realm")
            if not SigningKey.objects.exists():
                keys.make_key()
            if (
                not Realm.objects.filter(is_current=True, provider=Realm.Provider.BUILTIN)
                .exclude(client_secret="")
                .exists()
            ):
                self._make_clients()  # a realm that was restored comes without secrets
            return builtin_issuer()

    def _make_clients(self) -> None:
        secret = secrets.token_urlsafe(48)
        clients = {"provider": Realm.Provider.BUILTIN, "client_id": WEB_CLIENT_ID, "client_secret": secret}
        Realm.objects.update_or_create(is_current=True, defaults=clients)
        Application.objects.create(
            client_id=WEB_CLIENT_ID,
            client_secret=make_password(secret, hasher=SECRET_HASHER),
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

    def disable_realm(self, ref: TenantRef | None) -> None:
        """Do nothing: its pages and tokens are this platform's own, which refuses a stopped tenant everywhere."""

    def enable_realm(self, ref: TenantRef | None) -> None:
        """Do nothing, as for disabling."""

    def realm_exists(self, ref: TenantRef | None) -> bool:
        if not schema_is_there(ref):
            return False
        with inside(ref), transaction.atomic():
            return Realm.objects.filter(is_current=True, provider=Realm.Provider.BUILTIN).exists()

    def delete_realm(self, ref: TenantRef | None) -> None:
        """Delete accounts, clients, keys and tokens. The realm's row stays, without its secret, for people point to it."""
        if not schema_is_there(ref):
            return
        with inside(ref), transaction.atomic():
            PasswordLink.objects.all().delete()
            self.empty_realm(ref)
            Realm.objects.update(is_current=False, client_secret="")

    def empty_realm(self, ref: TenantRef | None) -> None:
        """Delete accounts, clients, keys and tokens. Links to set a password stay: they are for a subject anywhere."""
        with inside(ref), transaction.atomic():
            with connection.cursor() as cursor:  # of the release before this one, which tied them to accounts
                cursor.execute("DELETE FROM identity_passwordlink WHERE account_id IS NOT NULL")
            # row by row through the models, Django would ask for operators too, whose table no tenant has
            for model in _issuers_models():
                model._base_manager.all()._raw_delete(connection.alias)

    def make_account(self, ref: TenantRef | None, *, email: str, name: str, password: str | None = None) -> NewAccount:
        with inside(ref), transaction.atomic():
            account, created = Account.objects.get_or_create(
                email=email.strip().lower(), defaults={"name": name, "password": make_password(password)}
            )
            return NewAccount(subject=str(account.pk), created=created)

    def count_accounts(self, ref: TenantRef | None) -> int:
        with inside(ref), transaction.atomic():
            return Account.objects.count()

    def set_password(self, ref: TenantRef | None, *, subject: str, password: str) -> None:
        with inside(ref):
            _by_subject(subject).update(password=make_password(password))

    def make_password_link(self, ref: TenantRef | None, *, subject: str) -> str:
        with inside(ref):
            return make_password_link(subject)

    def find_account(self, ref: TenantRef | None, subject: str) -> Known | None:
        with inside(ref), transaction.atomic():
            account = _by_subject(subject).first()
            return _known(account) if account else None

    def list_accounts(self, ref: TenantRef | None) -> list[Known]:
        with inside(ref), transaction.atomic():
            return [_known(account) for account in Account.objects.order_by("email")]

    def set_account_active(self, ref: TenantRef | None, subject: str, active: bool) -> None:
        with inside(ref), transaction.atomic():
            _by_subject(subject).update(is_active=active)
            if not active:
                end_sessions(subject)

    def read_sign_in(self, ref: TenantRef | None, subject: str) -> SignInState | None:
        with inside(ref), transaction.atomic():
            account = _by_subject(subject).first()
            if account is None:
                return None
            until = locked_until(subject)
            return SignInState(until is not None, until, Authenticator.objects.filter(account=account).exists())

    def unlock_account(self, ref: TenantRef | None, subject: str) -> None:
        with inside(ref), transaction.atomic():
            unlock(subject)

    def remove_second_factor(self, ref: TenantRef | None, subject: str) -> None:
        with inside(ref), transaction.atomic():
            for account in _by_subject(subject):
                remove(account)
                end_sessions(subject)

    def require_two_factor(self, ref: TenantRef | None, required: bool) -> None:
        """Do nothing: its sign-in reads the rule itself."""

    def delete_account(self, ref: TenantRef | None, subject: str) -> None:
        with inside(ref), transaction.atomic():
            end_sessions(subject)
            PasswordLink.objects.filter(subject=subject).delete()
            unlock(subject)
            for own in (RecoveryCode, Authenticator):
                own.objects.filter(account__in=_by_subject(subject)).delete()
            _by_subject(subject)._raw_delete(connection.alias)

    def end_session(self, ref: TenantRef | None, subject: str, sid: str) -> None:
        with inside(ref), transaction.atomic():
            end_own_sessions(subject)

    def end_sessions(self, ref: TenantRef | None, subject: str) -> None:
        with inside(ref), transaction.atomic():
            end_sessions(subject)

    def make_client(self, ref: TenantRef | None, *, client_id: str, name: str) -> NewClient:
        secret = secrets.token_urlsafe(48)
        with inside(ref), transaction.atomic():
            Application.objects.update_or_create(
                client_id=client_id,
                defaults={
                    "client_secret": make_password(secret, hasher=SECRET_HASHER),
                    "client_type": AbstractApplication.CLIENT_CONFIDENTIAL,
                    "authorization_grant_type": AbstractApplication.GRANT_CLIENT_CREDENTIALS,
                    "algorithm": AbstractApplication.RS256_ALGORITHM,
                    "name": name,
                },
            )
        return NewClient(client_id=client_id, subject=f"client:{client_id}", secret=secret)

    def delete_client(self, ref: TenantRef | None, client_id: str) -> None:
        with inside(ref), transaction.atomic():
            clients = Application.objects.filter(
                client_id=client_id, authorization_grant_type=AbstractApplication.GRANT_CLIENT_CREDENTIALS
            )
            get_access_token_model().objects.filter(application__in=clients).delete()  # type: ignore[no-untyped-call]
            clients._raw_delete(connection.alias)


def _by_subject(subject: str) -> "QuerySet[Account]":
    """Return the account as a queryset; empty for what is no id of ours."""
    try:
        return Account.objects.filter(pk=UUID(subject))
    except ValueError:
        return Account.objects.none()


def _known(account: Account) -> Known:
    return Known(str(account.pk), account.email, account.name, account.is_active)
