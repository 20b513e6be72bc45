"""What an admin sees of how somebody signs in, wherever the issuer is."""

import structlog

from accounts.identity import provider
from accounts.identity.port import SignInState
from accounts.identity.realms import current_realm
from accounts.principals import Principal
from core.errors import NotFound, Rejected, Unavailable
from core.tenancy import current

log = structlog.get_logger(__name__)


def is_at_hand() -> bool:
    """Say whether the current realm is the platform's own: asking it costs nothing."""
    return current_realm().builtin


def read_sign_in(whose: Principal) -> SignInState:
    """Return whether somebody's account is locked and has a second factor.

    Raises NotFound if the issuer has no such account, Unavailable and Rejected if it can't be asked.
    """
    state = provider().read_sign_in(current(), whose.subject)
    if state is None:
        raise NotFound
    return state


def find_sign_in(whose: Principal) -> SignInState | None:
    """Return the same for a page, which has a sentence for an issuer that says nothing: None then."""
    try:
        return read_sign_in(whose)
    except (NotFound, Rejected, Unavailable) as error:
        log.info("sign_in_not_read", whose=str(whose.pk), code=error.code)
        return None
