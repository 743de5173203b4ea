"""A MapReduce job as a machine: results of tasks in, what is to be done next out.  Pure: time is an argument.

Its whole state follows from tuples, so that any client can go on with a job: which tasks were put, and which results there
are.  A task of the job has a phase, an index and an attempt, and its number says all three.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from . import farm

MAP, REDUCE = "map", "reduce"
PHASES = (MAP, REDUCE)

# What every result tells.
_FACTS = ("records", "keys", "pairs", "pairs_out", "bytes", "spills")
# So often an output may be lost and made again.
REMAKES_MAX = 20
# A second copy is worth its while from here on.
_SLOW_FACTOR = 2.0
_SLOW_MIN_S = 1.0


@dataclass(frozen=True)
class TaskId:
    """One attempt at one task."""

    phase: str
    index: int
    attempt: int

    @property
    def number(self) -> int:
        """As the farm numbers tasks."""
        return self.attempt << 25 | PHASES.index(self.phase) << 24 | self.index

    @classmethod
    def of(cls, number: int) -> TaskId:
        """The inverse of `number`."""
        return cls(PHASES[number >> 24 & 1], number & 0xFFFFFF, number >> 25)


class Submit(NamedTuple):
    """Put this task."""

    task: TaskId


class Cancel(NamedTuple):
    """Nobody needs this task any more."""

    task: TaskId


class Drop(NamedTuple):
    """Nobody needs this output any more."""

    value: Mapping[str, Any]


class Fail(NamedTuple):
    """The job has failed with this result of a task, or for this reason."""

    task: TaskId | None
    reason: str


class Done(NamedTuple):
    """All is reduced."""


Action = Submit | Cancel | Drop | Fail | Done


@dataclass
class _Task:
    attempts: int = 0  # that were put, ever
    remakes: int = 0
    running: set[int] = field(default_factory=set)
    started: dict[int, float] = field(default_factory=dict)  # when an attempt was first seen to run
    value: Mapping[str, Any] | None = None  # of the attempt that came first
    winner: int = 0
    void: set[int] = field(default_factory=set)  # attempts whose output is lost
    failure: Fail | None = None  # of an attempt, while others may still come to a result


class JobState:
    """Of a job with so many map tasks and reduce tasks."""

    def __init__(self, maps: int, reduces: int, *, replays: bool = False) -> None:
        """`replays`: the results that there are come first, in any order; a failure among them is judged by `settle`."""
        self._tasks = {MAP: [_Task() for _ in range(maps)], REDUCE: [_Task() for _ in range(reduces if maps else 0)]}
        self._done = {MAP: 0, REDUCE: 0}
        self._seconds: dict[str, list[float]] = {MAP: [], REDUCE: []}
        self.failure: Fail | None = None
        self._replays = replays

    # ---- how it stands

    def total(self, phase: str) -> int:
        """How many tasks a phase has."""
        return len(self._tasks[phase])

    def done(self, phase: str) -> int:
        """How many of them have an output."""
        return self._done[phase]

    @property
    def is_done(self) -> bool:
        """Whether all is reduced."""
        return self._done[REDUCE] == len(self._tasks[REDUCE])

    @property
    def phase(self) -> str:
        """What goes on: "map", "reduce", "done" or "failed"."""
        if self.failure is not None:
            return "failed"
        if self.is_done:
            return "done"
        return REDUCE if self._done[MAP] == len(self._tasks[MAP]) else MAP

    def values(self, phase: str) -> list[Mapping[str, Any] | None]:
        """What each task of the phase has returned."""
        return [task.value for task in self._tasks[phase]]

    def attempts_max(self, phase: str) -> int:
        """The highest number of attempts at any of its tasks."""
        return max((task.attempts for task in self._tasks[phase]), default=0)

    def counters(self) -> dict[str, int]:
        """What tasks have done and counted: the first result of each."""
        found: dict[str, int] = {}
        for phase in PHASES:
            for task in self._tasks[phase]:
                for name, count in _counted(phase, task.value):
                    found[name] = found.get(name, 0) + count
        return found

    def outputs_for_reduce(self) -> list[tuple[int, int, Any]]:
        """Index, attempt and run of each map output that is not empty."""
        tasks = enumerate(self._tasks[MAP])
        return [(i, task.winner, task.value["run"]) for i, task in tasks if task.value and task.value["run"]]

    def running(self) -> list[TaskId]:
        """Attempts that were put and have no result."""
        return [
            TaskId(phase, i, attempt)
            for phase in PHASES
            for i, task in enumerate(self._tasks[phase])
            for attempt in sorted(task.running)
        ]

    # ---- what happens

    def note_put(self, task: TaskId) -> None:
        """This attempt was put, by whomever."""
        known = self._tasks[task.phase][task.index]
        known.attempts = max(known.attempts, task.attempt)
        known.running.add(task.attempt)

    def go_on(self) -> list[Action]:
        """What is to be done now, whatever happened before; nothing if all that can run does."""
        if self.failure is not None or self.is_done:
            return []
        phase = MAP if self._done[MAP] < len(self._tasks[MAP]) else REDUCE
        waiting = (i for i, task in enumerate(self._tasks[phase]) if task.value is None and not task.running)
        return [self._submit(phase, i) for i in waiting]

    def on_result(self, task: TaskId, status: str, value: Any, reason: str = "", seconds: float = 0.0) -> list[Action]:
        """A result has come: with status `ok` its value, else why.  Results that come twice count once."""
        known = self._tasks[task.phase][task.index]
        known.attempts = max(known.attempts, task.attempt)
        if task.attempt in known.void:
            return []
        was_running = task.attempt in known.running
        known.running.discard(task.attempt)
        if status == farm.OK:
            if "lost" in value:
                return self._on_lost(value["lost"]) if was_running or known.value is None else []
            return self._on_value(task, known, value, seconds)
        if status != farm.CANCELLED or was_running:
            known.failure = known.failure or Fail(task, reason)
        return [] if self._replays else self._judge(known)

    def _judge(self, known: _Task) -> list[Action]:
        if known.failure is None or known.value is not None or known.running or self.failure is not None:
            return []  # another attempt has come first, or may still come
        self.failure = known.failure
        return [self.failure, *(Cancel(other) for other in self.running())]

    def settle(self) -> list[Action]:
        """All results that there were have come, and `note_put` has told which tasks there are."""
        self._replays = False
        return [action for phase in PHASES for known in self._tasks[phase] for action in self._judge(known)]

    @property
    def replays(self) -> bool:
        """Whether there may be results from before that have not come yet."""
        return self._replays

    def _on_value(self, task: TaskId, known: _Task, value: Any, seconds: float) -> list[Action]:
        if known.value is not None or self.failure is not None:
            return [] if known.winner == task.attempt else [Drop(value)]
        known.value, known.winner = value, task.attempt
        self._done[task.phase] += 1
        self._seconds[task.phase].append(seconds)
        others: list[Action] = [Cancel(TaskId(task.phase, task.index, other)) for other in sorted(known.running)]
        known.running.clear()
        if self.is_done:
            return [*others, Done()]
        if self._done[MAP] == len(self._tasks[MAP]) and task.phase == MAP:
            return [*others, *self.go_on()]
        return others

    def _on_lost(self, lost: Iterable[Sequence[int]]) -> list[Action]:
        """A reducer could not fetch these outputs of map tasks, each an index and an attempt."""
        for index, attempt in lost:
            known = self._tasks[MAP][index]
            if known.value is None or known.winner != attempt:
                continue  # it is being made again already
            known.value = None
            known.void.add(known.winner)
            self._done[MAP] -= 1
            known.remakes += 1
            if known.remakes > REMAKES_MAX:
                self.failure = Fail(
                    None,
                    f"the output of map task {index} was lost {known.remakes} times; do engines keep dying, or is there an "
                    "engine whose data others cannot fetch?",
                )
                return [self.failure, *(Cancel(other) for other in self.running())]
        return self.go_on()

    def lose_reduce(self, index: int) -> list[Action]:
        """The output of a reduce task is gone after all was done; it is made again."""
        known = self._tasks[REDUCE][index]
        if known.value is None:
            return self.go_on()
        known.value = None
        known.void.add(known.winner)
        self._done[REDUCE] -= 1
        known.remakes += 1
        if known.remakes > REMAKES_MAX:
            self.failure = Fail(
                None, f"the output of reduce task {index} was lost {known.remakes} times; do engines keep dying?"
            )
            return [self.failure]
        return self.go_on()

    # ---- slow tasks

    @property
    def is_near_end(self) -> bool:
        """Whether half of the phase that goes on is done, so that it is known what is slow."""
        phase = self.phase
        return phase in PHASES and 2 * self._done[phase] >= len(self._tasks[phase]) > 1

    def speculate(self, started: Iterable[TaskId], idle_engines: int, now: float) -> list[Action]:
        """Second copies of the slowest tasks, no more than there are idle engines; `started`: what runs now."""
        if not self.is_near_end:
            return []
        phase = self.phase
        slow_s = max(_SLOW_MIN_S, _SLOW_FACTOR * statistics.median(self._seconds[phase]))
        candidates = []
        for task in started:
            known = self._tasks[task.phase][task.index]
            since = known.started.setdefault(task.attempt, now)
            if task.phase == phase and known.running == {task.attempt} and now - since > slow_s:
                candidates.append((since, task.index))
        return [self._submit(phase, index) for _, index in sorted(candidates)[: max(0, idle_engines)]]

    def _submit(self, phase: str, index: int) -> Submit:
        task = TaskId(phase, index, self._tasks[phase][index].attempts + 1)
        self.note_put(task)
        self._tasks[phase][index].failure = None
        return Submit(task)


def _counted(phase: str, value: Mapping[str, Any] | None) -> Iterable[tuple[str, int]]:
    """Counters of a result: its own ones by phase ("map records"), and those of the user."""
    if value is None:
        return
    for name in _FACTS:
        if name in value:
            yield f"{phase} {name}", value[name]
    yield from value["counters"].items()
