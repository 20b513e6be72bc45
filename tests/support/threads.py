"""Runs functions at the same time, each with connections of its own."""

import threading
from collections.abc import Callable
from typing import Any

DONE_S = 120.0  # a sign-in takes one second, and twenty beside browsers and brokers


def run_together(*functions: Callable[[], Any]) -> list[Any]:
    """Start all functions at once; return their results in order, the exception of one that failed."""
    results: list[Any] = [None] * len(functions)
    start = threading.Barrier(len(functions))

    def run(position: int, function: Callable[[], Any]) -> None:
        from django.db import connections

        start.wait()
        try:
            results[position] = function()
        except Exception as error:  # noqa: BLE001 - the caller looks at it
            results[position] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=DONE_S)
    return results


def run_apart(function: Callable[[], Any]) -> Any:
    """Run a function in another thread, over another connection; raise what it raises."""
    (result,) = run_together(function)
    if isinstance(result, Exception):
        raise result
    return result
