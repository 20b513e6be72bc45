"""Shows on a terminal how a run of the fleet goes; without a terminal, a line for each tenant that needs a look."""

import threading
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tenants.fleet.models import Run, TenantRecord

BAD = {TenantRecord.Status.FAILED: "red", TenantRecord.Status.BUSY: "yellow"}


class Display:
    """A bar, what is under way, and lines for what went wrong."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[now]}[/]"),
            console=console,
            disable=not console.is_terminal,
        )
        self._bar = self._progress.add_task("migrating", total=None, now="")
        self._total = 0
        self._under_way: dict[str, None] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._progress.stop()

    def begun(self, run: Run, tenant_count: int) -> None:
        """Show the bar."""
        self._total = tenant_count
        self._progress.update(self._bar, total=tenant_count)
        self._progress.start()

    def added(self, tenant_count: int) -> None:
        """Make room for tenants that were found later."""
        self._total += tenant_count
        self._progress.update(self._bar, total=self._total)

    def started(self, slug: str) -> None:
        """Show who is being migrated."""
        with self._lock:
            self._under_way[slug] = None
            self._progress.update(self._bar, now=" ".join(self._under_way))

    def ended(self, record: TenantRecord) -> None:
        """Count one more, and say why it was not migrated."""
        self._leave(record.slug)
        self._progress.advance(self._bar)
        if colour := BAD.get(TenantRecord.Status(record.status)):
            first_line, *_ = record.error.splitlines() or [""]
            self._console.print(f"[{colour}]{record.slug}: {record.status}[/]  {first_line}", highlight=False)

    def postponed(self, slug: str, *, again_in_s: float) -> None:
        """Show that a tenant must wait."""
        self._leave(slug)
        self._console.print(f"[dim]{slug} is busy; again in {again_in_s:.1f} s, after the others[/]", highlight=False)

    def pausing(self, seconds: float) -> None:
        """Show the pause behind the canaries."""
        self._console.print(f"The canaries are through; a pause of {seconds:g} s. Ctrl-C ends the run here.")

    def _leave(self, slug: str) -> None:
        with self._lock:
            self._under_way.pop(slug, None)
            self._progress.update(self._bar, now=" ".join(self._under_way))
