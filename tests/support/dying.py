"""Workers that are killed: a process of their own that carries out an operation and dies, by SIGKILL, at a given moment.

They are forked from a server that has Django loaded and nothing else (no thread, no connection), so one costs a fraction of
a second. Nothing is cleaned up in them, as with any `kill -9`: the lease stays held, the transaction stays open.
"""

import multiprocessing
import os
import signal
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import django
from django.apps import apps

if not apps.ready:  # in the server that forks: whatever takes time and opens no connection, once
    django.setup()
    from storage.adapters import store
    from tenants.kinds import kind_of
    from tenants.models import Operation
    from tenants.schemas.template import known_migrations

    for kind in Operation.Kind:
        kind_of(Operation(kind=kind)).steps({})
    known_migrations()
    store()

Moment = Literal["before", "begun", "inside", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "begun", "inside", "after")
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.support.dying"])


@dataclass(frozen=True)
class Death:
    """When a worker dies: at which step, in which direction, and where in it.

    before: nothing is recorded; begun: the record says that it runs, nothing is done; inside: it is done, and the record
    does not say so; after: the record says so.
    """

    key: str
    moment: Moment
    undoing: bool = False


def let_a_worker_die(operation_id: UUID, death: Death, *, failing: str = "") -> None:
    """Have a worker carry out the operation until it dies. A `failing` step does its work and fails for good.

    Fails if the worker comes to an end without having been at that moment.
    """
    worker = _forks.Process(target=_work, args=(operation_id, death, failing))
    worker.start()
    worker.join(120)
    ended = worker.exitcode
    worker.kill()
    assert ended == -signal.SIGKILL, f"the worker was never at {death}: it ended with {ended}"


def _work(operation_id: UUID, death: Death, failing: str) -> None:
    from tenants import kinds
    from tenants.services import work

    real_step = kinds.OperationKind.step

    def step(self: Any, row: Any, inputs: dict[str, Any]) -> Any:
        return _Watched(real_step(self, row, inputs), row.key, death, failing)

    kinds.OperationKind.step = step  # type: ignore[method-assign]
    for name, undoing in (("_run_step", False), ("_undo_step", True)):
        if undoing == death.undoing:
            setattr(work._Run, name, _around(getattr(work._Run, name), death))
    work.run_operation(operation_id)


def _around(real: Any, death: Death) -> Any:
    def around(self: Any, row: Any) -> bool:
        if row.key == death.key and death.moment == "before":
            _die()
        went_well: bool = real(self, row)
        if row.key == death.key and death.moment == "after":
            _die()
        return went_well

    return around


class _Watched:
    """A step whose worker may die around its work."""

    def __init__(self, step: Any, key: str, death: Death, failing: str) -> None:
        self._step, self._key, self._death, self._failing = step, key, death, failing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._step, name)

    def run(self, tenant: Any, inputs: dict[str, Any]) -> Any:
        from core.errors import Rejected

        self._perhaps("begun", undoing=False)
        said = self._step.run(tenant, inputs)
        self._perhaps("inside", undoing=False)
        if self._key == self._failing:
            raise Rejected(part="something")
        return said

    def undo(self, tenant: Any) -> None:
        self._perhaps("begun", undoing=True)
        self._step.undo(tenant)
        self._perhaps("inside", undoing=True)

    def _perhaps(self, moment: Moment, *, undoing: bool) -> None:
        if Death(self._key, moment, undoing) == self._death:
            _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
