"""How many engines a farm should have now.  Pure: what was seen goes in, with its time; a number comes out.

Up when tasks wait that the engines will not reach soon: by as many engines as the queue can keep busy, but at most doubling, since
engines that were asked for take a while to come and count meanwhile.  Down when for a whole `idle_s` fewer would have done: to the
most that was needed within that time.  So one quiet moment between two bursts costs no engine, and nothing swings.

What others do: dask's Adaptive compares total occupancy with a target duration and wants to see the same recommendation `wait_count`
times before it closes workers; Parsl's strategy counts tasks per slot and an idle time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class AdaptRules:
    """Between what bounds, and how eagerly.  Raises: ValueError: they make no sense."""

    minimum: int = 0
    maximum: int = 1
    tasks_per_engine: float = 1.0  # so many waiting tasks are work for one more engine
    wait_s: float = 1.0  # only if a task has waited this long
    idle_s: float = 30.0  # fewer must have been enough for this long

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.maximum or self.maximum < 1:
            raise ValueError(
                f"minimum is {self.minimum} and maximum is {self.maximum}; 0 <= minimum <= maximum, and maximum >= 1 is wanted"
            )
        for name in ("tasks_per_engine", "wait_s", "idle_s"):
            if not getattr(self, name) >= 0 or (name == "tasks_per_engine" and not self.tasks_per_engine):
                raise ValueError(f"{name} is {getattr(self, name)!r}; a positive number is wanted")


@dataclass(frozen=True)
class Load:
    """A farm at one moment."""

    now: float  # seconds of any clock that only goes forward
    serving: int  # engines that are registered, of the set that is adapted
    coming: int  # engines that were asked for and do not serve yet
    busy: int  # those of `serving` that run a task
    waiting: int  # tasks for any engine that nobody has begun
    waited_s: float = 0.0  # how long the oldest of these has


@dataclass(frozen=True)
class Memory:
    """What a decision leaves for the next one."""

    fewer_since: float | None = None  # since when fewer engines would have done; None: they would not
    most_needed: int = 0  # within that time


def decide(rules: AdaptRules, load: Load, memory: Memory = Memory()) -> tuple[int, Memory]:
    """How many engines there should be (serving and coming together), and what to remember.

    The number is that of now if nothing is to change.
    """
    have = load.serving + load.coming
    need = min(max(load.busy + math.ceil(load.waiting / rules.tasks_per_engine), rules.minimum), rules.maximum)
    if have < rules.minimum:
        return rules.minimum, Memory()
    if have > rules.maximum:
        return rules.maximum, Memory()
    if need >= have:
        is_time = load.waited_s >= rules.wait_s
        return (min(need, max(2 * have, 1)) if is_time else have), Memory()
    if memory.fewer_since is None:
        return have, Memory(load.now, need)
    most_needed = max(memory.most_needed, need)
    if load.now - memory.fewer_since < rules.idle_s:
        return have, Memory(memory.fewer_since, most_needed)
    return min(most_needed, have), Memory()
