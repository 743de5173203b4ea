"""StatusBoard: how often a system may be asked how jobs are.  What it said last is known in between.

A scheduler serves a whole site, so it is asked for all jobs at once, not more often than every 30 s, not by all clusters at the same
moment (jitter), and less and less often while it does not answer (back-off).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .launcher import Job, JobStatus, Launcher, LaunchError

PERIOD_S = 30.0
BACK_OFF_MOST_S = 600.0
_JITTER = 0.2


@dataclass(frozen=True)
class Schedule:
    """When to ask next.  Pure."""

    period_s: float = PERIOD_S
    most_s: float = BACK_OFF_MOST_S

    def pause_s(self, failures: int, chance: float) -> float:
        """After so many failures in a row; *chance* is between 0 and 1."""
        doubled = min(self.period_s * 2.0 ** min(failures, 30), max(self.most_s, self.period_s))
        return doubled * (1.0 + _JITTER * chance)


class StatusBoard:
    """The status of jobs of one launcher, as of the last time that the system was asked."""

    def __init__(
        self,
        launcher: Launcher,
        *,
        schedule: Schedule | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._launcher = launcher
        self._schedule = schedule or Schedule()
        self._clock, self._chance = clock, chance
        self._known: dict[Job, JobStatus] = {}
        self._asked = False
        self._due = 0.0
        self._failures = 0
        self.failure: LaunchError | None = None  # why the last question was not answered

    @property
    def due(self) -> float:
        """The moment from which on the system may be asked again, by this board's clock."""
        return self._due

    def look(self, jobs: Sequence[Job]) -> dict[Job, JobStatus]:
        """What is known of *jobs*; asks the system if it is time, and then for all that have not ended.

        A job that no answer has had yet is not in what is returned.  If the system does not answer, `failure` says why, and what
        was known before stands.
        """
        if not self._asked or self._clock() >= self._due:
            self._ask([job for job in jobs if job not in self._known or not self._known[job].is_over])
        return {job: self._known[job] for job in jobs if job in self._known}

    def _ask(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        self._asked = True
        try:
            self._known.update(self._launcher.status(jobs))
        except LaunchError as error:
            self.failure = error
            self._failures += 1
        else:
            self.failure = None
            self._failures = 0
        self._due = self._clock() + self._schedule.pause_s(self._failures, self._chance())
