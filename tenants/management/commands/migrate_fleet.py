"""manage.py migrate_fleet"""

import json
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError
from rich.console import Console

from core.commands import TeachingCommand, seconds, whole_number
from tenants.fleet.engine import FleetBusy, Outcome, migrate_fleet, plan_fleet
from tenants.fleet.models import TenantRecord
from tenants.fleet.plans import Plan
from tenants.fleet.safety import hazards_of_plan
from tenants.fleet.turns import Options, Watcher
from tenants.management.fleet_display import Display
from tenants.schemas.template import TemplateMissing

DESCRIPTION = """\
Migrates every tenant's schema to the migrations of this code, several at a time, while they are in use.
Run `migrate` first: it brings the platform's tables and the template of new tenants up to date.

A canary goes first; if it fails, nobody else is touched. A tenant whose tables are locked is put aside after
--lock-timeout and tried again when the others are through. What failed or was not reached is simply behind:
run the command again. It may be ended at any moment, and only one runs at a time.
"""
EPILOG = """\
examples
  manage.py migrate_fleet --plan                          what would run where, and what it would lock
  manage.py migrate_fleet --canary 3 --pause 300          three tenants, five minutes to look, then all others
  manage.py migrate_fleet --canary acme-corp,globex-inc   these two first
  manage.py migrate_fleet --only acme-corp                this one alone
  manage.py migrate_fleet --retry-failed                  only those who failed, were busy or not reached

exit codes
  0  everybody is up to date      1  somebody failed, or the run was stopped
  2  wrong words                  3  somebody was busy to the end
  4  another run is under way   130  ended by a signal
"""
BUSY_LEFT, ANOTHER_RUN, BY_SIGNAL = 3, 4, 130
A_DAY_S, MOST_LANES = 86_400, 100


class Command(TeachingCommand):
    help = DESCRIPTION
    epilog = EPILOG

    def add_arguments(self, parser: ArgumentParser) -> None:
        usual = Options()
        parser.add_argument("--plan", action="store_true", help="show what would run where; change nothing")
        parser.add_argument(
            "--canary",
            type=_canary,
            default=usual.canary,
            metavar="N|SLUG,...",
            help="how many tenants go first, or which (default: 1; 0: none)",
        )
        parser.add_argument(
            "--pause",
            type=seconds(most=A_DAY_S),
            default=0.0,
            metavar="SECONDS",
            help="wait this long behind the canaries",
        )
        parser.add_argument(
            "--concurrency",
            type=whole_number(least=1, most=MOST_LANES),
            default=usual.concurrency,
            metavar="N",
            help=f"tenants at a time (4; at most {MOST_LANES})",
        )
        parser.add_argument(
            "--lock-timeout",
            type=seconds(least=0.01, most=A_DAY_S),
            default=usual.lock_timeout_s,
            metavar="SECONDS",
            help="longest wait for a tenant's locks, and so the longest that its people wait behind it (0.5)",
        )
        parser.add_argument(
            "--patience",
            type=seconds(most=A_DAY_S),
            default=usual.patience_s,
            metavar="SECONDS",
            help="how long a busy tenant is tried again (60)",
        )
        parser.add_argument(
            "--stop-after",
            type=whole_number(least=0, most=1_000_000),
            default=usual.stop_after,
            metavar="N",
            help="end after N failures (5; 0: never)",
        )
        parser.add_argument("--only", type=_slugs, default=(), metavar="SLUG,...", help="these tenants alone")
        parser.add_argument("--retry-failed", action="store_true", help="only who was not migrated by the last run")
        parser.add_argument("--json", action="store_true", help="print one JSON object at the end")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["plan"]:
                self._show_plan(_chosen(options), as_json=options["json"])
            else:
                self._migrate(options)
        except TemplateMissing as error:
            raise CommandError(str(error)) from None
        except FleetBusy as error:
            raise CommandError(f"{error}: wait for its end.", returncode=ANOTHER_RUN) from None

    def _migrate(self, options: dict[str, Any]) -> None:
        console = Console(stderr=options["json"], file=None if options["json"] else self._out())
        signal.signal(signal.SIGTERM, _end) if _in_main_thread() else None
        with Display(console) as display:
            try:
                outcome = self._run(_chosen(options), display)
            except KeyboardInterrupt:
                raise CommandError("Ended by a signal; run it again to go on.", returncode=BY_SIGNAL) from None
        self._report(outcome, as_json=options["json"])

    def _run(self, options: Options, watcher: Watcher) -> Outcome:
        return migrate_fleet(options, watcher)

    def _out(self) -> Any:
        return getattr(self.stdout, "_out", sys.stdout)

    def _report(self, outcome: Outcome, *, as_json: bool) -> None:
        run = outcome.run
        if as_json:
            self.stdout.write(json.dumps(_as_json(outcome)))
        elif run is None:
            self.stdout.write(f"{outcome.tenant_count} tenants, nothing to migrate.")
        else:
            words = ", ".join(f"{count} {status}" for status, count in sorted(outcome.counts.items()))
            self.stdout.write(
                f"{outcome.tenant_count} tenants: {words}. Run {run.pk}: {run.get_status_display().lower()}."
            )
        if run is not None and run.status != run.Status.SUCCEEDED:
            only_busy = not run.reason and not outcome.counts.get("failed")
            reason = f"Stopped: {run.reason}. " if run.reason else ""
            raise CommandError(
                f"{reason}Not every tenant was migrated. Mend what is named above and run it again.",
                returncode=BUSY_LEFT if only_busy else 1,
            )

    def _show_plan(self, chosen: Options, *, as_json: bool) -> None:
        plans, tenant_count = plan_fleet(chosen)
        if as_json:
            self.stdout.write(json.dumps({"tenants": tenant_count, "plans": [_plan_as_json(plan) for plan in plans]}))
            return
        if not plans:
            self.stdout.write(f"{tenant_count} tenants, nothing to migrate.")
        for plan in plans:
            slugs = [ref.slug for ref in plan.group.tenants]
            shown = ", ".join(slugs[:5]) + (f" and {len(slugs) - 5} more" if len(slugs) > 5 else "")
            self.stdout.write(f"{len(slugs)} tenants ({shown}):")
            for segment in plan.segments:
                for app, name in segment.keys:
                    self.stdout.write(f"  {segment.kind:9} {app}.{name}")
            for hazard in hazards_of_plan(plan):
                self.stdout.write(f"  ! {hazard}")


def _chosen(options: dict[str, Any]) -> Options:
    return Options(
        canary=options["canary"],
        pause_s=options["pause"],
        concurrency=options["concurrency"],
        lock_timeout_s=options["lock_timeout"],
        patience_s=options["patience"],
        stop_after=options["stop_after"],
        only=options["only"],
        retry_failed=options["retry_failed"],
    )


def _canary(text: str) -> int | tuple[str, ...]:
    return int(text) if text.isdecimal() else _slugs(text)


def _slugs(text: str) -> tuple[str, ...]:
    """An empty list is refused: it would mean everybody."""
    slugs = tuple(slug.strip() for slug in text.split(",") if slug.strip())
    if not slugs:
        raise ArgumentTypeError(f"{text!r} names no tenant")
    return slugs


def _as_json(outcome: Outcome) -> dict[str, Any]:
    run = outcome.run
    left = TenantRecord.objects.filter(run=run).exclude(status__in=["done", "gone"]) if run else []
    return {
        "run": str(run.pk) if run else None,
        "status": run.status if run else "succeeded",
        "reason": run.reason if run else "",
        "tenants": outcome.tenant_count,
        "counts": outcome.counts,
        "not_migrated": [{"slug": one.slug, "status": one.status, "error": one.error} for one in left],
    }


def _plan_as_json(plan: Plan) -> dict[str, Any]:
    return {
        "tenants": [ref.slug for ref in plan.group.tenants],
        "migrations": [
            {"migration": f"{app}.{name}", "way": segment.kind}
            for segment in plan.segments
            for app, name in segment.keys
        ],
        "hazards": [hazard.as_json() for hazard in hazards_of_plan(plan)],
    }


def _in_main_thread() -> bool:
    import threading

    return threading.current_thread() is threading.main_thread()


def _end(number: int, frame: object) -> None:
    raise KeyboardInterrupt
