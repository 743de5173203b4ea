"""When an engine that runs in a batch job has to be gone.  Pure."""

from __future__ import annotations

from typing import NamedTuple

# A task that still runs is interrupted and given back so long before the end: the system then kills without asking.
FORCE_BEFORE_S = 10.0


class Walltime(NamedTuple):
    """Moments on this process's monotonic clock."""

    leave: float  # take no further task
    over: float  # give back the one that runs

    @classmethod
    def ending(cls, in_s: float, *, leave_before_s: float, now: float) -> Walltime:
        """The walltime is over in so many seconds from *now*.

        If less than twice `leave_before_s` is left, half of it is for work: a job so short that it would do nothing at all is
        nobody's wish.
        """
        margin_s = min(leave_before_s, max(0.0, in_s) / 2)
        return cls(now + in_s - margin_s, now + in_s - min(FORCE_BEFORE_S, margin_s))
