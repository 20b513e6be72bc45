"""Somebody's phone: an authenticator app, made with another library than the product's, and the pages that it is set up on."""

import base64
import html
import re
import time
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

SET_UP = "/profile/security/two-factor/on/"


class App:
    """An authenticator app that was given a key. `recovery_codes` lie beside it."""

    def __init__(self, key: str, recovery_codes: list[str] | None = None) -> None:
        self.key, self.recovery_codes = key, recovery_codes or []
        self._last = 0

    def code(self, *, at: float | None = None) -> str:
        """Return the code of now, or of the next time step if that of now was given out; or the one of a moment."""
        step = int(time.time() if at is None else at) // 30
        if at is None:
            step = self._last = max(step, self._last + 1)
        return TOTP(base64.b32decode(self.key), 6, SHA1(), 30).generate(step * 30).decode()  # noqa: S303

    def wrong(self) -> str:
        """Return a code that is none of these minutes."""
        near = {self.code(at=time.time() + 30 * step) for step in range(-3, 4)}
        return next(
            code
            for code in ("123456", "654321", "111111", "222222", "333333", "444444", "555555", "666666")
            if code not in near
        )


def key_on(page: Any) -> str:
    """Return the key that a page shows for the app."""
    found = re.search(r'id="authenticator-key" value="([A-Z2-7]+)"', page.content.decode())
    assert found, page.content.decode()[:3000]
    return found.group(1)


def hidden(page: Any, name: str) -> str:
    """Return the value of a page's hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page.content.decode())
    return html.unescape(found.group(1)) if found else ""


def codes_on(page: Any) -> list[str]:
    """Return the recovery codes that a page shows."""
    return re.findall(r"<li>((?:[a-z2-7]{4}-){3}[a-z2-7]{4})</li>", page.content.decode())


def switch_on(visitor: Any, password: str, *, path: str = SET_UP) -> App:
    """Switch two-factor sign-in on on the profile's page, as somebody with an app does."""
    page = visitor.get(path)
    app = App(key_on(page))
    said = {"code": app.code(), "password": password, "set_up": hidden(page, "set_up")}
    answer = visitor.post(path, said, page=page)
    assert answer.status_code == 200, answer.content.decode()[:3000]
    app.recovery_codes = codes_on(answer)
    assert len(app.recovery_codes) == 10
    return app
