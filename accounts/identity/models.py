"""Realms, and what the built-in issuer keeps for one: accounts, clients, keys. In `public` for the operators' realm."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.functional import cached_property
from oauth2_provider.models import AbstractApplication
from oauth2_provider.utils import jwk_from_pem

from accounts.identity.addresses import callback_url, origin
from core.crypto import EncryptedTextField
from core.ids import uuid7

WEB_CLIENT_ID = "plexica-web"  # the pages' relying party
CLI_CLIENT_ID = "plexica-cli"  # people's scripts, by the device flow
API_CLIENT_PREFIX = "client-"  # programs that act for themselves: accounts.clients


class Realm(models.Model):
    """The issuer that this schema trusts. A tenant moves to another issuer by making another row the current one."""

    class Provider(models.TextChoices):
        BUILTIN = "builtin"
        KEYCLOAK = "keycloak"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=16, choices=Provider)
    issuer = models.CharField(max_length=300, blank=True)  # empty: the built-in one, at the address that is asked
    client_id = models.CharField(max_length=120)
    client_secret = EncryptedTextField()
    is_current = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    # of a realm at Keycloak: which of settings.KEYCLOAK_SERVERS has it, and how its own admin client gets in
    server = models.CharField(max_length=32, blank=True, default="", db_default="")
    admin_secret = EncryptedTextField(blank=True, default="", db_default="")
    admin_token = EncryptedTextField(blank=True, default="", db_default="")  # while it is disabled: it gives no tokens
    asked_at = models.DateTimeField(null=True)  # a call that makes it was sent, and its outcome is not known

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_current"], condition=Q(is_current=True), name="identity_realm_one_current"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.issuer}".strip()


class Account(AbstractBaseUser):
    """A person at the built-in issuer: how they prove who they are. What they may do stands elsewhere."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    session_epoch = models.PositiveIntegerField(
        default=0, db_default=0
    )  # counting it up ends the sessions at the issuer
    two_factor = models.BooleanField(
        default=False, db_default=False
    )  # codes are asked for; who has no authenticator yet sets one up when they sign in
    created_at = models.DateTimeField(default=timezone.now)
    last_login = None

    session_claims: Mapping[str, Any] = MappingProxyType({})  # sid and amr of the session at the issuer, if one asks

    USERNAME_FIELD = "email"
    objects = BaseUserManager["Account"]()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(email=Lower("email")), name="identity_account_email_lower")]

    def __str__(self) -> str:
        return self.email

    def get_session_auth_hash(self) -> str:
        """What a session at the issuer must know to count: it changes with the password, and with the epoch."""
        return salted_hmac("accounts.identity.session", f"{self.password} {self.session_epoch}").hexdigest()

    def get_session_auth_fallback_hash(self) -> Iterator[str]:
        """No other secret counts."""
        yield from ()


class Authenticator(models.Model):
    """The app that makes an account's codes."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="+")
    secret = EncryptedTextField()  # base32
    last_step = models.BigIntegerField(default=0)  # the time step of the code that was taken last
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return str(self.account_id)


class RecoveryCode(models.Model):
    """A code for who has lost the app, good once. Only its hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    code_hash = models.CharField(max_length=64, unique=True)
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return str(self.account_id)


class AttemptCounter(models.Model):
    """How often something was tried at an address, whether or not somebody has it, and whether more is taken."""

    class Kind(models.TextChoices):
        PASSWORD = "password"  # noqa: S105 - the word alone
        CODE = "code"  # of the second factor
        PROOF = "proof"  # by somebody who is signed in and has to prove it anew

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=16, choices=Kind)
    name = models.CharField(max_length=32)  # a keyed hash of the address
    device = models.CharField(max_length=32, blank=True)  # which known browser counts for itself; empty: all others
    subject = models.CharField(max_length=255, blank=True, db_index=True)  # whose account it is; empty: nobody's
    attempts = models.PositiveIntegerField(default=0)
    counted_from = models.DateTimeField(default=timezone.now)
    last_at = models.DateTimeField(default=timezone.now, db_index=True)
    locked_until = models.DateTimeField(null=True)
    locks = models.PositiveSmallIntegerField(default=0)  # one after the other
    told_at = models.DateTimeField(null=True)  # when the owner and the audit log were told of the lock

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "name", "device"], name="identity_attemptcounter_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.attempts}"


class SigningKeys(models.QuerySet["SigningKey"]):
    """The keys of the current realm. The search path picks the realm."""

    def published(self) -> Self:
        """Return the keys that verifiers should know."""
        return self.filter(Q(retired_at=None) | Q(retired_at__gt=timezone.now()))

    def signing(self) -> "SigningKey":
        """Return the newest key that signs already."""
        return self.published().filter(active_from__lte=timezone.now()).order_by("-active_from")[0]


class SigningKey(models.Model):
    """A key pair that signs the realm's tokens, from `active_from` on."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kid = models.CharField(max_length=64, unique=True)
    private_pem = EncryptedTextField()
    active_from = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    objects = SigningKeys.as_manager()

    def __str__(self) -> str:
        return self.kid


class Application(AbstractApplication):
    """A client of the built-in issuer. Its redirect addresses follow the platform's address: nothing is stored."""

    class Meta(AbstractApplication.Meta):
        pass

    @cached_property
    def jwk_key(self) -> object:
        """The key that signs ID tokens; read twice for each token, so one key for each request."""
        return jwk_from_pem(SigningKey.objects.signing().private_pem)

    @property
    def default_redirect_uri(self) -> str:
        return callback_url()

    def redirect_uri_allowed(self, uri: str) -> bool:
        """Allow the one callback at the current address, to the letter."""
        return self.client_id == WEB_CLIENT_ID and uri == self.default_redirect_uri

    def post_logout_redirect_uri_allowed(self, uri: str) -> bool:
        """Allow the front page of the current address."""
        return self.client_id == WEB_CLIENT_ID and uri == f"{origin()}/"


class PasswordLink(models.Model):
    """A single-use way to set a password. Only the token's hash is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    subject = models.CharField(
        max_length=255, db_default=""
    )  # whose password, at the issuer of the realm that is current then
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.subject} until {self.expires_at:%Y-%m-%d}"
