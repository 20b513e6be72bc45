"""Somebody's browser at a tenant and at its issuer, whichever that is: cookies of both are kept, and may be looked at."""

from typing import Any
from urllib.parse import urlsplit

import requests

from core.tenancy import TenantRef
from tests.support import keycloak
from tests.support.browser import Visitor


class Walk:
    """A visitor of a tenant whose issuer may be elsewhere."""

    def __init__(self, tenant: TenantRef | None) -> None:
        self.pages = Visitor(tenant)
        self.issuer = requests.Session()

    def start(self, to: str = "/") -> Any:
        """Begin a sign-in and return the issuer's first answer: its page, or a redirect for who is known there."""
        begun = self.pages.get(f"/oidc/authenticate/?next={to}")
        assert begun.status_code == 302, begun.status_code
        return self.ask_issuer(begun["Location"])

    def is_known_at_issuer(self) -> bool:
        """Say whether the issuer lets the browser through without asking for a password."""
        answer = self.start()
        onward = answer.headers.get("Location", "")
        return answer.status_code in (302, 303) and "/oidc/callback/" in onward

    def sign_in(self, email: str, password: str) -> "Walk":
        """Sign in through the issuer's page."""
        begun = self.pages.get("/oidc/authenticate/?next=/")
        if self._is_ours(begun["Location"]):
            self.pages.sign_in(email, password)
        else:
            callback = keycloak.sign_in_at(begun["Location"], email, password, session=self.issuer)
            landed = self.pages.get(callback, follow=True)
            assert landed.status_code == 200, landed.status_code
        return self

    def ask_issuer(self, address: str) -> Any:
        """GET an address of the issuer's with its cookies; nobody follows redirects."""
        if self._is_ours(address):
            return self.pages.get(address)
        cookies = keycloak.cookies_of(self.issuer)
        return self.issuer.get(address, cookies=cookies, allow_redirects=False, timeout=60)

    def _is_ours(self, address: str) -> bool:
        return urlsplit(address).netloc == self.pages.host
