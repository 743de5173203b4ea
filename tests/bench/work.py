"""What the tasks of the benchmarks do.  Importable by every contestant's workers, so functions travel by name."""

import time


def noop() -> None:
    """The cheapest task there is."""


def increment(x: int) -> int:
    return x + 1


def burn(milliseconds: float) -> None:
    """Keeps a core busy for so long.  Counts this thread's time alone: helpers of the worker do no work for us."""
    end = time.thread_time() + milliseconds / 1000
    while time.thread_time() < end:
        pass
