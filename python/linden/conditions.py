"""What a task waits for and where it may run: the conditions in a conditional task, written by clients, read by engines.  Pure.

They travel as JSON, so that people and other languages can read them in the task tuple (docs/reference/farm-schema.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from . import farm
from .fields import OneOf


class Stage(NamedTuple):
    """One wait for other tasks: the gate that ends it (0: the task's own number), the verdicts that it waits for, and those of
    them that are good."""

    gate: int
    verdicts: Sequence[str]
    good: Sequence[str]


class Follow(NamedTuple):
    """Where a task may run: where all, or any, of these tasks ran and ended with one of these statuses."""

    of: Sequence[str]
    all: bool
    statuses: Sequence[str]


class _Terms(NamedTuple):
    """The fields of Conditions."""

    stages: Sequence[Stage] = ()
    follow: Sequence[Follow] = ()
    targets: Sequence[int] | None = None
    refused: Sequence[int] = ()
    timeout: float | None = None  # seconds
    attempts: int = 1  # how many engines may die with it
    placed: bool = False  # an engine has chosen where it runs
    tags: Sequence[str] = ()  # of the engines that may run it
    near: Sequence[str] = ()  # rather where the values of these tasks are kept, or on the host where they lie
    hosts: Sequence[tuple[str, int]] = ()  # rather on these hosts, which have so many bytes of the arguments


class Conditions(_Terms):
    """All conditions of one task.  `stages` come one after the other; `refused` are engines that have refused the task."""

    # No dataclass: every engine imports this, and importing dataclasses takes longer than the rest of it.

    def but(self, **changes: Any) -> Conditions:
        """These conditions with some of them changed."""
        return self._replace(**changes)

    # The tasks of a call often have the same conditions, and then they share what follows.

    @cached_property
    def text(self) -> str:
        """As JSON; what is not said is left out."""
        known = {
            "stages": [stage._asdict() for stage in self.stages],
            "follow": [follow._asdict() for follow in self.follow],
            "targets": self.targets,
            "refused": list(self.refused),
            "timeout": self.timeout,
            "attempts": self.attempts,
            "placed": self.placed,
            "tags": list(self.tags),
            "near": list(self.near),
            "hosts": list(self.hosts),
        }
        return json.dumps({name: value for name, value in known.items() if value})

    @cached_property
    def verdicts(self) -> Any:
        """What ends the first stage, as a field of a template: what it waits for, its time, or an abort."""
        return OneOf([*self.stages[0].verdicts, farm.TIMEOUT, farm.ABORTED])

    def gate_of(self, number: int) -> int:
        """The gate of the first stage of the task `number`."""
        return self.stages[0].gate or number


@lru_cache(maxsize=64)
def read(text: str) -> Conditions:
    """The inverse of `Conditions.text`."""
    known: dict[str, Any] = json.loads(text)
    known["stages"] = [Stage(**stage) for stage in known.get("stages", ())]
    known["follow"] = [Follow(**follow) for follow in known.get("follow", ())]
    return Conditions(**known)


def choose(engines: Iterable[int], me: int, conditions: Conditions, places: Iterable[set[int]]) -> list[int]:
    """The engines of now that may run the task; `me` first, if it is one of them.  `places`: of each Follow, where it leads."""
    allowed = set(engines) - set(conditions.refused)
    if conditions.targets is not None:
        allowed &= set(conditions.targets)
    for place in places:
        allowed &= place
    return sorted(allowed, key=lambda engine: (engine != me, engine))


def nearest(engines: Sequence[int], held: Mapping[int, int]) -> list[int]:
    """Those of `engines` that hold most of the data, of which `held` says how many bytes are where; all of them if none holds any."""
    most = max((held.get(engine, 0) for engine in engines), default=0)
    return [engine for engine in engines if held.get(engine, 0) == most]
