"""What Ctrl-C does to a cell that runs on engines."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from . import farm

if TYPE_CHECKING:
    from .async_result import AsyncResult


def interrupt(result: AsyncResult, signal_number: int) -> list[int]:
    """Signal the engines that run tasks of `result`, and take back those that no engine has.  Returns the ids signalled.

    Engines that run somebody else's task, behind which one of ours waits, are left alone.
    """
    client = result._client
    numbers = result._numbers()
    if not numbers:
        return []
    form = farm.tasks_form(client.session, farm.number_range(min(numbers), max(numbers)))
    holders = [row["holder"] for row in client.space.describe(form)]
    running = [engine.id for engine in client.engines() if engine.session in holders]
    if running:
        client.send_signal(signal_number, running)
    if not all(holders):
        with suppress(RuntimeError):  # all results have come meanwhile
            result.abort()
    return running
