"""What a task waits for and where it may run: the conditions in a conditional task, written by clients, read by engines.  Pure.

They travel as JSON, so that people and other languages can read them in the task tuple (docs/reference/farm-schema.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from . import farm


class Stage(NamedTuple):
    """One wait for other tasks: the gate that ends it, the verdicts that it waits for, and those of them that are good."""

    gate: int
    verdicts: Sequence[str]
    good: Sequence[str]


class Follow(NamedTuple):
    """Where a task may run: where all, or any, of these tasks ran and ended with one of these statuses."""

    of: Sequence[str]
    all: bool
    statuses: Sequence[str]


class Conditions(NamedTuple):
    """All conditions of one task.  `stages` come one after the other; `refused` are engines that have refused the task."""

    stages: Sequence[Stage] = ()
    follow: Sequence[Follow] = ()
    targets: Sequence[int] | None = None
    refused: Sequence[int] = ()
    timeout: float | None = None  # seconds
    attempts: int = 1  # how many engines may die with it
    placed: bool = False  # an engine has chosen where it runs

    def to_text(self) -> str:
        """As JSON; what is not said is left out."""
        known = {
            "stages": [stage._asdict() for stage in self.stages],
            "follow": [follow._asdict() for follow in self.follow],
            "targets": self.targets,
            "refused": list(self.refused),
            "timeout": self.timeout,
            "attempts": self.attempts,
            "placed": self.placed,
        }
        return json.dumps({name: value for name, value in known.items() if value})

    @classmethod
    def from_text(cls, text: str) -> Conditions:
        """The inverse of `to_text`."""
        known: dict[str, Any] = json.loads(text)
        known["stages"] = [Stage(**stage) for stage in known.get("stages", ())]
        known["follow"] = [Follow(**follow) for follow in known.get("follow", ())]
        return cls(**known)

    @property
    def verdicts(self) -> list[str]:
        """What ends the first stage: what it waits for, its time, or an abort."""
        return [*self.stages[0].verdicts, farm.TIMEOUT, farm.ABORTED]


def choose(engines: Iterable[int], me: int, conditions: Conditions, places: Iterable[set[int]]) -> list[int]:
    """The engines of now that may run the task; `me` first, if it is one of them.  `places`: of each Follow, where it leads."""
    allowed = set(engines) - set(conditions.refused)
    if conditions.targets is not None:
        allowed &= set(conditions.targets)
    for place in places:
        allowed &= place
    return sorted(allowed, key=lambda engine: (engine != me, engine))
