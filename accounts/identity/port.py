"""What the platform asks of an issuer of identities. Each call is safe to repeat.

Adapters raise `core.errors.Unavailable` when the outcome is unknown and `core.errors.Rejected` when repeating is useless.
`ref` is the tenant whose realm is meant; None is the platform's own realm, that of the operators. A `subject` is the
`sub` of the tokens that the issuer gives somebody.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from core.tenancy import TenantRef


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A person at the issuer who was made, or was found to be there."""

    subject: str
    created: bool


@dataclass(frozen=True, slots=True)
class Account:
    """A person as the issuer knows them."""

    subject: str
    email: str
    name: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class SignInState:
    """What stands in the way of an account's sign-in, or asks for more. Some issuers do not say until when it is locked."""

    is_locked: bool
    locked_until: datetime | None
    has_second_factor: bool


@dataclass(frozen=True, slots=True)
class NewClient:
    """A program that acts for itself, by the client credentials grant. Nobody can read the secret again."""

    client_id: str
    subject: str
    secret: str = field(repr=False)


class IdentityProvider(Protocol):
    """Makes, stops and deletes realms, and the accounts and clients in them."""

    def make_realm(self, ref: TenantRef | None) -> str:
        """Make the realm with its keys and clients, and return the issuer's address."""
        ...

    def realm_exists(self, ref: TenantRef | None) -> bool:
        """Say whether there is a realm, of ours or of somebody else, under the name that the tenant's has."""
        ...

    def delete_realm(self, ref: TenantRef | None) -> None:
        """Delete the realm with everything in it."""
        ...

    def disable_realm(self, ref: TenantRef | None) -> None:
        """Let the realm sign nobody in and give no tokens; everything in it stays."""
        ...

    def enable_realm(self, ref: TenantRef | None) -> None:
        """Let a disabled realm sign people in again. Sessions and tokens of before are worth nothing."""
        ...

    def make_account(self, ref: TenantRef | None, *, email: str, name: str, password: str | None = None) -> NewAccount:
        """Make an account, or find the one with this e-mail address. Without a password it waits for its owner to set one."""
        ...

    def find_account(self, ref: TenantRef | None, subject: str) -> Account | None:
        """Return the account, or None."""
        ...

    def list_accounts(self, ref: TenantRef | None) -> list[Account]:
        """Return everybody who has an account, by e-mail address; programs are left out."""
        ...

    def count_accounts(self, ref: TenantRef | None) -> int:
        """Return how many accounts the realm has."""
        ...

    def set_account_active(self, ref: TenantRef | None, subject: str, active: bool) -> None:
        """Let an account sign in, or not; its sessions end when it may not. One that is gone stays gone."""
        ...

    def read_sign_in(self, ref: TenantRef | None, subject: str) -> SignInState | None:
        """Return whether an account is locked and has a second factor, within some seconds; None if it is not there."""
        ...

    def unlock_account(self, ref: TenantRef | None, subject: str) -> None:
        """Let an account try to sign in again at once that was locked after too many failures."""
        ...

    def remove_second_factor(self, ref: TenantRef | None, subject: str) -> None:
        """Take an account's authenticator apps and recovery codes away, and end its sessions."""
        ...

    def require_two_factor(self, ref: TenantRef | None, required: bool) -> None:
        """Let nobody in without a second factor, or let it be everybody's choice. Who has none sets one up at sign-in."""
        ...

    def delete_account(self, ref: TenantRef | None, subject: str) -> None:
        """Delete an account with its sessions."""
        ...

    def end_sessions(self, ref: TenantRef | None, subject: str) -> None:
        """End every session that an account has at the issuer, and all its refresh tokens."""
        ...

    def set_password(self, ref: TenantRef | None, *, subject: str, password: str) -> None:
        """Give an account a password. Our rules are checked before; a realm with rules of its own may refuse it."""
        ...

    def make_password_link(self, ref: TenantRef | None, *, subject: str) -> str:
        """Return an address where the account's owner can set a password, once, within some days."""
        ...

    def end_session(self, ref: TenantRef | None, subject: str, sid: str) -> None:
        """End the issuer's own session `sid` of an account, so that its browser is asked to sign in again.

        The built-in issuer does not tell an account's sessions apart: it ends all of them, and leaves its refresh tokens.
        """
        ...

    def make_client(self, ref: TenantRef | None, *, client_id: str, name: str) -> NewClient:
        """Make a client for a program. One with this id that is there already gets another secret."""
        ...

    def delete_client(self, ref: TenantRef | None, client_id: str) -> None:
        """Delete a client that `make_client` made; its tokens end within five minutes."""
        ...
