"""Realms, and what the built-in issuer keeps for one: accounts, clients, keys. In `public` for the operators' realm."""

from typing import Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.functional import cached_property
from oauth2_provider.models import AbstractApplication
from oauth2_provider.utils import jwk_from_pem

from accounts.identity.addresses import callback_url, origin
from core.crypto import EncryptedTextField
from core.ids import uuid7

WEB_CLIENT_ID = "plexica-web"  # the pages' relying party
CLI_CLIENT_ID = "plexica-cli"  # people's scripts, by the device flow


class Realm(models.Model):
    """The issuer that this schema trusts. A tenant moves to another issuer by making another row the current one."""

    class Provider(models.TextChoices):
        BUILTIN = "builtin"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    provider = models.CharField(max_length=16, choices=Provider)
    issuer = models.CharField(max_length=300, blank=True)  # empty: the built-in one, at the address that is asked
    client_id = models.CharField(max_length=120)
    client_secret = EncryptedTextField()
    is_current = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["is_current"], condition=Q(is_current=True), name="identity_realm_one_current"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.issuer}".strip()


class AccountManager(BaseUserManager["Account"]):
    """Finds accounts by e-mail address, in lower case."""

    def get_by_natural_key(self, username: str | None) -> "Account":
        """Return the account with this e-mail address."""
        return self.get(email=(username or "").lower())


class Account(AbstractBaseUser):
    """A person at the built-in issuer: how they prove who they are. What they may do stands elsewhere."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    last_login = None

    USERNAME_FIELD = "email"
    objects = AccountManager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(email=Lower("email")), name="identity_account_email_lower")]

    def __str__(self) -> str:
        return self.email


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
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="password_links")
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.account_id} until {self.expires_at:%Y-%m-%d}"
