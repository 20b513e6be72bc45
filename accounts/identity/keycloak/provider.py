"""The identity port's Keycloak adapter.

What makes a realm is noted before it is asked for, so that whoever comes later can take it away:

row with a secret ─> asked_at ─> POST ─> asked_at is empty again
"""

import secrets
import time
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone
from requests import Response

from accounts.identity.addresses import origin
from accounts.identity.keycloak import document, placement, stopping
from accounts.identity.keycloak.client import Api, NotSent, RealmMissing, ServerFailed, provisioner, realm_is_there
from accounts.identity.keycloak.people import People
from accounts.identity.keycloak.second_factors import SecondFactors
from accounts.identity.keycloak.servers import KeycloakServer
from accounts.identity.links import make_password_link
from accounts.identity.models import WEB_CLIENT_ID, Realm
from accounts.identity.realms import inside, schema_is_there
from core.errors import Rejected, Unavailable
from core.tenancy import TenantRef
from tenants.preferences.selectors import get_preferences

PLATFORM_REALM = "platform"  # no tenant can have this slug
MAKE_S = 120.0
AGAIN_AFTER_S = (0.2, 1.0)
OUTCOME_KNOWN = timedelta(seconds=330)  # Keycloak gives up after 300 s


def realm_name(ref: TenantRef | None) -> str:
    """Return what the server calls the realm."""
    return ref.slug if ref else PLATFORM_REALM


class KeycloakProvider(People, SecondFactors):
    """Keeps realms at Keycloaks; everything after the making uses the realm's own admin client."""

    def make_realm(self, ref: TenantRef | None) -> str:
        """Make the whole realm with one call, at the server that has the most room. Cold servers take minutes."""
        row = self._begun_row(ref)
        self.post_realm(ref, row)
        return row.issuer

    def post_realm(self, ref: TenantRef | None, row: Realm, users: Iterable[dict[str, Any]] = ()) -> None:
        """Ask the row's server for the realm, with people in it. One that is there already must be ours.

        Raises Rejected if it is somebody else's, and Unavailable.
        """
        server = placement.server_named(row.server)
        if self._is_ours(row, ref):
            self._note(ref, row, asked_at=None)
            return
        with inside(ref), transaction.atomic():
            language = get_preferences().language if ref else ""
        with inside(ref):
            here = origin()
        asked = document.realm_document(
            name=realm_name(ref),
            display_name=ref.name if ref else "Plexica",
            origin=here,
            secure=server.outer_url.startswith("https:"),
            language=language,
            secrets=document.Secrets(web=row.client_secret, admin=row.admin_secret),
            is_platform=ref is None,
            users=users,
        )
        self._note(ref, row, asked_at=timezone.now())
        try:
            response = _post(server, asked)
        except (NotSent, Rejected):
            self._note(ref, row, asked_at=None)
            raise
        self._note(ref, row, asked_at=None)
        if response.status_code == 409 and not self._is_ours(row, ref):
            raise Rejected(part="keycloak", said=f"the realm {realm_name(ref)} is there and is not ours")

    def realm_exists(self, ref: TenantRef | None) -> bool:
        row = self.find_row(ref)
        if row:
            return realm_is_there(placement.server_named(row.server), realm_name(ref))
        placed = placement.placed_at(ref) if ref else None
        return realm_is_there(placed or placement.least_used(placement.read_loads()), realm_name(ref))

    def delete_realm(self, ref: TenantRef | None) -> None:
        """Delete the realm. Its row stays, without its secrets, for people point to it.

        Raises Unavailable while a call that makes it may still be on its way.
        """
        row = self.find_row(ref)
        if row:
            self.remove(ref, row)

    def remove(self, ref: TenantRef | None, row: Realm) -> None:
        """Delete the realm of a row, and forget its secrets."""
        try:
            self.api_of(ref, row).call("DELETE", f"/{realm_name(ref)}", expect=(204, 404))
        except RealmMissing:
            if row.asked_at and timezone.now() < row.asked_at + OUTCOME_KNOWN:
                raise Unavailable(part="keycloak") from None
        self._note(ref, row, is_current=False, client_secret="", admin_secret="", admin_token="", asked_at=None)

    def disable_realm(self, ref: TenantRef | None) -> None:
        row = self.row_of(ref)
        stopping.disable(self.api_of(ref, row), keep_token=lambda token: self._note(ref, row, admin_token=token))

    def enable_realm(self, ref: TenantRef | None) -> None:
        row = self.row_of(ref)
        stopping.enable(self.api_of(ref, row))
        self._note(ref, row, admin_token="")

    def make_password_link(self, ref: TenantRef | None, *, subject: str) -> str:
        with inside(ref):
            return make_password_link(subject)

    def api(self, ref: TenantRef | None) -> Api:
        return self.api_of(ref, self.row_of(ref))

    # --- rows ---------------------------------------------------------------------------------------

    def find_row(self, ref: TenantRef | None) -> Realm | None:
        """Return the row of the realm that is there, or was begun."""
        if not schema_is_there(ref):
            return None
        with inside(ref), transaction.atomic():
            rows = Realm.objects.filter(provider=Realm.Provider.KEYCLOAK).exclude(admin_secret="")
            return rows.order_by("-is_current", "-created_at").first()

    def row_of(self, ref: TenantRef | None) -> Realm:
        """Return the realm's row. Raises RealmMissing."""
        row = self.find_row(ref)
        if row is None:
            raise RealmMissing(realm=realm_name(ref), part="keycloak")
        return row

    def api_of(self, ref: TenantRef | None, row: Realm) -> Api:
        """Return the way in of the realm's own admin client."""
        server = placement.server_named(row.server)
        return Api(server, realm_name(ref), document.ADMIN_CLIENT_ID, row.admin_secret, row.admin_token)

    def _begun_row(self, ref: TenantRef | None) -> Realm:
        """Return the row that says which realm is to be made, written anew unless it was before."""
        row = self.find_row(ref)
        return row or self.begin_row(ref, placement.place(ref))

    def begin_row(self, ref: TenantRef | None, server: KeycloakServer, *, current: bool = True) -> Realm:
        """Write down which realm is to be made where, with fresh secrets. A restored row, which has none, is used again."""
        fields: dict[str, Any] = {
            "provider": Realm.Provider.KEYCLOAK,
            "issuer": server.issuer(realm_name(ref)),
            "server": server.name,
            "client_id": WEB_CLIENT_ID,
            "client_secret": secrets.token_urlsafe(48),
            "admin_secret": secrets.token_urlsafe(48),
        }
        with inside(ref), transaction.atomic():
            if not current:
                return Realm.objects.create(is_current=False, **fields)
            row, _made = Realm.objects.update_or_create(is_current=True, defaults=fields)
            return row

    def _note(self, ref: TenantRef | None, row: Realm, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(row, name, value)
        with inside(ref), transaction.atomic():
            row.save(update_fields=list(changes))

    def _is_ours(self, row: Realm, ref: TenantRef | None) -> bool:
        api = self.api_of(ref, row)
        try:
            api.token(fresh=True)
        except RealmMissing:
            return False
        except Rejected as error:
            if error.facts.get("status") == 401:
                return False
            raise
        return True


def _post(server: KeycloakServer, asked: dict[str, Any]) -> Response:
    """Ask for a realm, and again if the server fails: a name that is taken is answered with 409, so nothing is made twice.

    Keycloak fails, and makes nothing, when another realm is deleted at that moment: it walks the roles of whoever asks,
    those of the deleted realm still among them (https://github.com/keycloak/keycloak/issues/12003).
    """
    ask = partial(provisioner(server).call, "POST", "", json=asked, answer_s=MAKE_S, expect=(201, 409))
    for wait_s in AGAIN_AFTER_S:
        try:
            return ask()
        except ServerFailed:
            time.sleep(wait_s)
    return ask()
