"""What the platform asks of an issuer of identities. Each call is safe to repeat.

Adapters raise `core.errors.Unavailable` when the outcome is unknown and `core.errors.Rejected` when repeating is useless.
`ref` is the tenant whose realm is meant; None is the platform's own realm, that of the operators.
"""

from dataclasses import dataclass
from typing import Protocol

from core.tenancy import TenantRef


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A person at the issuer. `subject` is the `sub` of the tokens that the issuer will give them."""

    subject: str
    created: bool


class IdentityProvider(Protocol):
    """Makes and deletes realms, and the accounts in them."""

    def make_realm(self, ref: TenantRef | None) -> str:
        """Make the realm with its keys and clients, and return the issuer's address."""
        ...

    def realm_exists(self, ref: TenantRef | None) -> bool:
        """Say whether there is a realm."""
        ...

    def delete_realm(self, ref: TenantRef | None) -> None:
        """Delete the realm with everything in it."""
        ...

    def make_account(self, ref: TenantRef | None, *, email: str, name: str, password: str | None = None) -> NewAccount:
        """Make an account, or find the one with this e-mail address. Without a password it waits for its owner to set one."""
        ...

    def count_accounts(self, ref: TenantRef | None) -> int:
        """Return how many accounts the realm has."""
        ...

    def set_password(self, ref: TenantRef | None, *, subject: str, password: str) -> None:
        """Give an account a password, whatever the rules for passwords say."""
        ...

    def make_password_link(self, ref: TenantRef | None, *, subject: str) -> str:
        """Return an address where the account's owner can set a password, once, within some days."""
        ...
