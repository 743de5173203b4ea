"""What Ctrl-C does to a cell that runs on engines."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import farm
from .fields import number_range

if TYPE_CHECKING:
    from .async_result import AsyncResult
    from .client import Client


class Interruption:
    """The first Ctrl-C of a cell goes to its engines, the second ends the waiting.

    Args: numbers: of the cell's tasks, which are this client's. to_engines: what they get; None: Ctrl-C ends the waiting.
    """

    def __init__(self, client: Client, numbers: Sequence[int], to_engines: signal.Signals | None) -> None:
        self._client = client
        self._numbers = numbers
        self._signal = to_engines

    def wait(self, result: AsyncResult) -> None:
        """Wait for the results; after Ctrl-C, for what the engines have to say about it.

        Raises: KeyboardInterrupt: that was not the first.
        """
        try:
            result.wait()
        except KeyboardInterrupt:
            if not self.send():
                raise
            result.wait()

    def send(self) -> bool:
        """Interrupt the engines; False if there is nothing to send, or it was sent before."""
        if self._signal is None:
            return False
        number, self._signal = self._signal, None
        print(f"interrupted: engines get {number.name}; interrupt again to stop waiting", file=sys.stderr, flush=True)
        interrupt(self._client, self._numbers, number)
        return True


def interrupt(client: Client, numbers: Sequence[int], signal_number: int) -> list[int]:
    """Signal the engines that run these tasks, and take back those that no engine has.  Returns the ids signalled.

    Engines that run somebody else's task, behind which one of these waits, are left alone.
    """
    if not numbers:
        return []
    form = farm.tasks_form(client.session, number_range(min(numbers), max(numbers)))
    tasks = list(client.space.describe(form))
    holders = {task["holder"] for task in tasks}
    running = [engine.id for engine in client.engines() if engine.session in holders]
    if running:
        client.send_signal(signal_number, running)
    waiting = [task["fields"][farm.TASK_NUMBER] for task in tasks if not task["holder"]]
    if waiting:
        client.abort([farm.message_id(client.session, number) for number in waiting])
    return running
