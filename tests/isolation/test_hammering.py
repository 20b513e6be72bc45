"""Two tenants and the platform hammer the threads of one real web process; every answer is looked at for foreign rows.

10 seconds on each road, 30 in CI; PLEXICA_HAMMER_S says otherwise.
"""

import json
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import pytest

from tests.isolation.conftest import ROADS
from tests.support import pgbouncer
from tests.support.http import HttpVisitor
from tests.support.people import PASSWORD, email_of
from tests.support.platform import Platform

DURATION_S = float(os.environ.get("PLEXICA_HAMMER_S", "30" if os.environ.get("CI") == "true" else "10"))
CLIENTS_EACH = 3
MARKS = {  # what stands in a tenant's answers and in nobody else's
    "acme-corp": ("owner@people.example", "member@people.example", "Mara Ellsworth", "Tomas Kadlec"),
    "globex-inc": ("outsider@people.example", "Lea Novak"),
    "localhost": ("operator@people.example", "Jonas Weil"),
}
PAGES = {
    "acme-corp": ["/api/v1/me/", "/team/", "/", "/sign-ins.csv", "/search/?q=a", "/no/such/page/"],
    "globex-inc": ["/api/v1/me/", "/team/", "/", "/sign-ins.csv", "/search/?q=l", "/no/such/page/"],
    "localhost": ["/api/v1/me/", "/console/tenants/", "/health/ready"],
}
SHOWS_ITS_OWN = {"/api/v1/me/", "/team/", "/"}
# the console tells operators who a tenant's first admin is
MAY_SHOW = {"/console/tenants/": {"owner@people.example", "outsider@people.example"}}


@dataclass
class Tally:
    """What the clients saw."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, slug, path, status, text):
        foreign = [
            mark
            for other, marks in MARKS.items()
            for mark in marks
            if other != slug and mark in text and mark not in MAY_SHOW.get(path, ())
        ]
        missing = path in SHOWS_ITS_OWN and not any(mark in text for mark in MARKS[slug])
        with self.lock:
            self.answers[f"{slug} {status}"] += 1
            if foreign or missing or status != (404 if path == "/no/such/page/" else 200):
                self.wrong.append(f"{slug} {path} {status}: foreign {foreign}, own missing {missing}")


@pytest.fixture(params=ROADS)
def platform(request, django_db_setup):
    """Web process and worker on the road in question."""
    platform = Platform("hammering")
    if request.param == "direct":
        with platform.life("web", "worker"):
            yield platform
        return
    with pgbouncer.running(size=4) as pooler:
        platform.env |= {
            "PLEXICA_DATABASE_URL": pooler.url(platform.env["PLEXICA_DATABASE_URL"]),
            "PLEXICA_DATABASE_TRANSACTION_POOLING": "true",
        }
        with platform.life("web", "worker"):
            yield platform


def signed_in(platform, slug, who):
    host = slug if slug == "localhost" else f"{slug}.localhost"
    visitor = HttpVisitor(platform.port, host)
    visitor.sign_in(email_of(who), PASSWORD, start="/console/" if slug == "localhost" else "/")
    return visitor


def test_no_answer_holds_a_row_of_another_tenant(platform):
    people = [("acme-corp", "owner"), ("globex-inc", "outsider"), ("localhost", "operator")]
    visitors = [(slug, signed_in(platform, slug, who)) for slug, who in people]
    tally, end = Tally(), time.monotonic() + DURATION_S

    def hammer(slug, visitor, offset):
        client = HttpVisitor(platform.port, visitor.netloc.rpartition(":")[0]).client
        client.cookies = visitor.client.cookies
        number = offset
        while time.monotonic() < end:
            path = PAGES[slug][number % len(PAGES[slug])]
            answer = client.get(path)
            tally.add(slug, path, answer.status_code, answer.text)
            number += 1

    threads = [
        threading.Thread(target=hammer, args=(slug, visitor, offset))
        for slug, visitor in visitors
        for offset in range(CLIENTS_EACH)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=DURATION_S + 60)

    assert tally.wrong == []
    for slug in MARKS:
        assert tally.answers[f"{slug} 200"] > DURATION_S  # a machine that does other work beside answers few
    assert platform.running.count("web") == 1
    lines = [line for line in lines_of(platform) if "/health/ready" not in str(line)]  # asked until it said yes
    assert lines
    assert [line for line in lines if line["level"] in ("error", "critical")] == []


def lines_of(platform):
    """The web process's log, line by line; granian's own lines are no JSON."""
    text = (platform.folder / "logs" / "web.log").read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]
