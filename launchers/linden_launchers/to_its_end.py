"""Running what must not be broken off half-way: Ctrl-C, which Python raises anywhere, comes after it."""

from __future__ import annotations

import threading
from collections.abc import Callable


def run_to_its_end(action: Callable[[], None]) -> None:
    """Runs *action* in a thread of its own and waits for it.

    An exception that a signal raises meanwhile (KeyboardInterrupt) is raised when the action has ended, and wins over the action's own.
    What is run has to have a deadline itself.
    """
    failed: list[BaseException] = []

    def act() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001  # raised in the caller's thread
            failed.append(error)

    thread = threading.Thread(target=act, name="linden-to-its-end")
    interrupt: BaseException | None = None
    thread.start()
    while thread.is_alive():
        try:
            thread.join()
        except BaseException as error:  # noqa: BLE001  # raised below
            interrupt = error
    if interrupt is not None:
        raise interrupt
    if failed:
        raise failed[0]
