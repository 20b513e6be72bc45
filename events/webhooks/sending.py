"""Sends what waits. Several senders may run: each takes webhooks that no other has, for as long as a lease.

    claim ──a thread for each──> next call ──no transaction, no connection──> answer ──noted──> next call ... ──> release

A webhook is sent to by one thread at a time, in the order in which its deliveries are due; a delivery that failed stands
behind those that are due before its next try. Whoever dies in the middle leaves a lease that runs out, and the call is
made again, with the same id.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connections

from core.tenancy import TenantRef, enter, find_tenant
from events.webhooks.calling import call
from events.webhooks.outcomes import next_call, note_answer, standing_of
from events.webhooks.queue.services import Claim, add_attempts, claim, forget, hold, release, renew

THREADS = 16
POLL_S = 0.25
TURN_S = 5.0  # then other webhooks have their turn
COUNTED_EVERY_S = 1.0  # what came of attempts is added to the figures
PAUSE_S = 1.0  # after a database that did not answer
log = structlog.get_logger(__name__)


class Sender:
    """Threads that send, and one that hands out the work."""

    def __init__(self, *, threads: int = THREADS) -> None:
        self._threads = threads
        self._lease_s = settings.WEBHOOK_TIMEOUT_S * 2 + 30  # a slow resolver takes a while beyond the call's time
        self._at_work: dict[Future[None], Claim] = {}
        self._results: Counter[str] = Counter()
        self._results_lock = threading.Lock()
        self._counted_at = time.monotonic()
        self._changed = threading.Event()
        self._ending = threading.Event()

    def run(self, *, until: Callable[[], bool]) -> None:
        """Send until told otherwise; calls under way are finished."""
        with ThreadPoolExecutor(self._threads, thread_name_prefix="webhooks") as pool:
            while not until():
                try:
                    count = self.hand_out(pool)
                except (OperationalError, InterfaceError) as error:
                    log.warning("webhooks_wait", error=str(error))
                    time.sleep(PAUSE_S)
                    continue
                if not count:
                    self._changed.wait(POLL_S)
                self._changed.clear()
            self._ending.set()
        self._add_results()

    def send_due(self) -> None:
        """Send everything that is due now, and return when it is done."""
        with ThreadPoolExecutor(self._threads) as pool:
            while self.hand_out(pool) or self._at_work:
                self._changed.wait(POLL_S)
                self._changed.clear()
        self._add_results()

    def hand_out(self, pool: ThreadPoolExecutor) -> int:
        """Give threads that are free what is due, and return how many webhooks that were."""
        for future in [future for future in self._at_work if future.done()]:
            del self._at_work[future]
        free = self._threads - len(self._at_work)
        if not free:
            return 0
        # what failed last may wait for its time to be over: it never takes all threads
        failing = self._threads // 2 - sum(one.is_failing for one in self._at_work.values())
        try:
            if time.monotonic() - self._counted_at > COUNTED_EVERY_S:
                self._add_results()
            claims = claim(limit=free, failing=failing, lease_s=self._lease_s)
        finally:
            connections.close_all()
        for one in claims:
            future = pool.submit(self._serve, one)
            self._at_work[future] = one
            future.add_done_callback(lambda done: self._changed.set())
        return len(claims)

    def _note_result(self, result: str) -> None:
        with self._results_lock:
            self._results[result] += 1

    def _add_results(self) -> None:
        """Add what came of attempts to the figures; a database that does not answer gets it later."""
        self._counted_at = time.monotonic()
        with self._results_lock:
            results, self._results = self._results, Counter()
        if not results:
            return
        try:
            add_attempts(results)
        except (OperationalError, InterfaceError) as error:
            log.warning("webhook_attempts_not_counted", error=str(error))
            with self._results_lock:
                self._results += results

    def _serve(self, claimed: Claim) -> None:
        try:
            self._serve_tenant(claimed, find_tenant(claimed.tenant_id))
        except Exception as error:  # the lease runs out, and it is tried again
            log.error("webhook_not_served", webhook=str(claimed.webhook_id), exc_info=error)
        finally:
            connections.close_all()

    def _serve_tenant(self, claimed: Claim, ref: TenantRef | None) -> None:
        if ref is None or ref.is_gone:
            forget(claimed)
        elif ref.state != "active":
            hold(claimed)
        else:
            self._take_turn(claimed, ref)

    def _take_turn(self, claimed: Claim, ref: TenantRef) -> None:
        """Send what is due, one after the other, until the turn is over or the tenant is stopped."""
        failed_last, ends = False, time.monotonic() + TURN_S
        while time.monotonic() < ends and not self._ending.is_set() and _is_active(ref):
            with enter(ref):
                prepared = next_call(claimed.webhook_id)
            if prepared is None:
                break
            if not renew(claimed, lease_s=self._lease_s):
                return
            connections.close_all()  # nobody needs one while the receiver takes its time
            answer = call(
                prepared.url, body=prepared.body, headers=prepared.headers, timeout_s=settings.WEBHOOK_TIMEOUT_S
            )
            with enter(ref):
                failed_last = not note_answer(webhook_id=claimed.webhook_id, call=prepared, answer=answer)
            self._note_result(answer.result)
            log.info(
                "webhook_called",
                tenant=str(ref.id),
                webhook=str(claimed.webhook_id),
                delivery=str(prepared.delivery_id),
                status=answer.status_code,
                error=answer.error,
                duration_ms=answer.duration_ms,
            )
        with enter(ref):
            standing = standing_of(claimed.webhook_id)
        release(claimed, standing, failed_last=failed_last)


def _is_active(ref: TenantRef) -> bool:
    now = find_tenant(ref.id)
    return now is not None and now.state == "active"
