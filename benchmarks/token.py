"""Is this access token good? Checked locally, beside django-oauth-toolkit's own check, which looks it up in the database.

The token is one that a program got from the realm's real token endpoint. What leaves the process is counted while ours is
checked again and again: statements, commands of Valkey, requests over HTTP.
"""

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from benchmarks.harness import Bar, Figure, Ground, median, percentile

ROUNDS = 2_000
TURN = 50  # of one kind, then of the other: a check right after a query would find the processor busy with that


def run(ground: Ground, size: int = ROUNDS) -> Iterator[Figure]:
    """Measure it with `size` checks of each."""
    from django.conf import settings
    from oauth2_provider.oauth2_validators import OAuth2Validator
    from oauthlib.common import Request

    from accounts.identity.realms import current_realm
    from accounts.identity.verification import verify_access_token
    from core.tenancy import enter

    (tenant,) = ground.make_tenants(1)
    token = _token_of_a_program(tenant)
    with enter(tenant.ref):
        realm, library = current_realm(), OAuth2Validator()
        ground.say("ours and django-oauth-toolkit's in turns")

        def ours() -> None:
            verify_access_token(realm, token, audience=settings.API_AUDIENCE)

        def theirs() -> None:
            if not library.validate_bearer_token(token, [], Request("")):
                raise RuntimeError("the library refuses the token")

        cold = _took_us(ours)
        series: dict[str, list[float]] = {"ours": [], "theirs": []}
        for _ in range(-(-size // TURN)):
            series["ours"] += [_took_us(ours) for _ in range(TURN)]
            series["theirs"] += [_took_us(theirs) for _ in range(TURN)]
        with _counted() as calls:
            for _ in range(size):
                ours()
            hot = calls()
    yield Figure("verify_p50", round(median(series["ours"]), 1), "us", Bar("at_most", 200))
    yield Figure("verify_p99", round(percentile(series["ours"], 99), 1), "us")
    yield Figure("verify_first", round(cold, 1), "us", note="the keys are fetched")
    yield Figure("network_calls_hot", hot, "", Bar("at_most", 0), f"in {size} checks")
    yield Figure(
        "library_p50", round(median(series["theirs"]), 1), "us", note="django-oauth-toolkit, from the database"
    )
    yield Figure("vs_library", round(median(series["theirs"]) / median(series["ours"]), 1), "x")


def _token_of_a_program(tenant: Any) -> str:
    """Make the realm and an API client, and get an access token for it as a program does."""
    from django.conf import settings
    from django.test import Client

    from accounts.clients.services import make_client
    from accounts.identity import provider
    from core.actors import SYSTEM
    from core.tenancy import enter
    from tenants.models import Domain

    Domain.objects.create(tenant=tenant, domain=tenant.slug, is_primary=True)
    provider().make_realm(tenant.ref)
    with enter(tenant.ref):
        made = make_client(name="bench", permissions=[], expires_at=None, actor=SYSTEM)
    proof = base64.b64encode(f"{made.client.client_id}:{made.secret}".encode()).decode()
    answer = Client().post(
        "/op/token/",
        {"grant_type": "client_credentials"},
        headers={"host": f"{tenant.slug}.{settings.PUBLIC_NETLOC}", "authorization": f"Basic {proof}"},
    )
    if answer.status_code != 200:
        raise RuntimeError(f"no token: {answer.status_code} {answer.content[:300]!r}")
    return str(json.loads(answer.content)["access_token"])


@contextmanager
def _counted() -> Iterator[Callable[[], int]]:
    """Count what leaves the process while the block runs."""
    import requests
    from django.db import connection
    from redis.connection import Connection

    count = 0

    def statement(execute: Any, *args: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*args)

    def counting(real: Any) -> Any:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            return real(self, *args, **kwargs)

        return call

    with ExitStack() as stack:
        stack.enter_context(connection.execute_wrapper(statement))
        for kind, name in ((Connection, "send_packed_command"), (requests.Session, "send")):
            stack.enter_context(mock.patch.object(kind, name, counting(getattr(kind, name))))
        yield lambda: count


def _took_us(function: Callable[[], None]) -> float:
    begin = time.perf_counter()
    function()
    return (time.perf_counter() - begin) * 1e6
