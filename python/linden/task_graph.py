"""How a client puts a task that waits for others: which gates and groups it needs beside itself (docs/design/task-graphs.md).

A task waits for tuples only, so it goes on without its client, and there is no scheduler.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _native, farm, gate_tuples
from .conditions import Conditions, Follow, Stage, read
from .dependency import Dependency
from .error import InvalidDependency
from .fields import OneOf
from .listing import PAGE, batches, listed

if TYPE_CHECKING:
    from .submission import Submitter

TaskKey = tuple[str, int]

_FRAME_TUPLES = 20_000
# A group that is used for the first time, and not too large, travels with its task; it is made to be shared at the second time.
_OWN_GROUP_MAX = 1_000
_REMEMBERED = 1_000


@dataclass(frozen=True)
class Wish:
    """What the tasks of one call are to wait for, and where to run."""

    after: Sequence[Dependency] = ()
    follow: Sequence[Dependency] = ()
    timeout: float | None = None
    targets: Sequence[int] | None = None
    tags: Sequence[str] = ()  # alone they are no reason to wait: the task's queue says them

    def __bool__(self) -> bool:
        return bool(self.after or self.follow or self.timeout is not None or self.targets is not None)

    # Looked at for each task of a call, and made once: it may be long.

    @cached_property
    def waits(self) -> list[Wait]:
        """The sets of tasks to wait for.  Raises: InvalidDependency."""
        return joined([*self.after, *self.follow])

    @cached_property
    def _usual(self) -> dict[int, Conditions]:
        return {}

    def usual_conditions(self, attempts: int) -> Conditions:
        """Of the tasks of a call that do not differ in what they wait for."""
        if attempts not in self._usual:
            self._usual[attempts] = self.conditions(self.waits, [0], attempts)
        return self._usual[attempts]

    def conditions(self, waits: Sequence[Wait], gates: Sequence[int], attempts: int) -> Conditions:
        """Of a task with a gate for each of `waits`."""
        stages = [Stage(gate, wait.verdicts, wait.good_verdicts) for gate, wait in zip(gates, waits, strict=False)]
        stages[:1] = [stage._replace(gate=0) for stage in stages[:1]]
        follow = [Follow(sorted(each), each.all, statuses_of(each)) for each in self.follow]
        return Conditions(stages, follow, self.targets, timeout=self.timeout, attempts=attempts, tags=self.tags)


NOTHING = Wish()


class Plan(NamedTuple):
    """The conditions of a task, and what has to be put before it, in the same frame."""

    conditions: Conditions
    puts: list[_native.Put]


class TaskGraph:
    """Plans conditional tasks of one client.  Safe to use from several threads."""

    def __init__(self, client: _native.Client, space: _native.Space, submitter: Submitter) -> None:
        self._client = client
        self._space = space
        self._submitter = submitter
        self._session = client.session
        self._lock = threading.Lock()
        self._next_group = -1
        self._seen: dict[Wait, None] = {}
        self._groups: dict[Wait, int] = {}

    def forget(self) -> None:
        """Gates have been purged; groups are made anew."""
        with self._lock:
            self._seen.clear()
            self._groups.clear()

    def plan(self, number: int, wish: Wish | None, arguments: Collection[TaskKey], attempts: int, call: range) -> Plan:
        """What the task `number` needs that fulfils `wish` and has the results of tasks `arguments` as arguments.

        `call`: the numbers of the call's tasks, none of which may wait for another. `attempts`: how many engines may die with it.
        Raises: InvalidDependency: there is no such task.
        """
        wish = NOTHING if wish is None else wish
        puts: list[_native.Put] = []
        waits = joined([*wish.after, *wish.follow], arguments) if arguments else wish.waits
        # The first stage has the task's own number, by which it is found when it is aborted or times out.
        gates = [number, *self._take_groups(len(waits) - 1)]
        for gate, wait in zip(gates, waits, strict=False):
            puts.append(self._relay(gate, wait, call, puts))
        if wish.timeout is not None:
            puts += [
                gate_tuples.gate(self._session, gate, farm.TIMEOUT, delay=max(0.01, wish.timeout)) for gate in gates
            ]
        if arguments or len(waits) > 1:
            return Plan(wish.conditions(waits, gates, attempts), puts)
        return Plan(wish.usual_conditions(attempts), puts)

    # ---- stages

    def _relay(self, gate: int, wait: Wait, call: range, puts: list[_native.Put]) -> _native.Put:
        if wait.only is not None:
            self._check([wait.only], call)
            return gate_tuples.relay_of_result(self._session, gate, wait.only)
        group = self._shared_group(wait, call)
        if group is not None:
            return gate_tuples.relay_of_group(self._session, gate, group, gate_tuples.ANY_VERDICT)
        group, made = self._make_group(wait, call)
        puts += made
        return gate_tuples.relay_of_group(self._session, gate, group, wait.verdicts_form)

    def _shared_group(self, wait: Wait, call: range) -> int | None:
        """The group that tells those who wait so how it has ended; None if this task had better have a group of its own."""
        with self._lock:
            known = self._groups.get(wait)
            if known is not None:
                return known
            again = wait in self._seen
            _remember(self._seen, wait, None)
        if len(call) == 1 and not again and len(wait.of) <= _OWN_GROUP_MAX:
            return None
        group, made = self._make_group(wait, call)
        # A group of its own for the verdict: otherwise each edge would be held against the relays of all who wait.
        (verdict,) = self._take_groups(1)
        made.append(gate_tuples.relay_of_group(self._session, verdict, group, wait.verdicts_form))
        # It has to be there for certain before others rely on it.
        for start in range(0, len(made), _FRAME_TUPLES):
            self._client.wait(self._space.send_put(made[start : start + _FRAME_TUPLES], patient=True))
        with self._lock:
            _remember(self._groups, wait, verdict)
        return verdict

    def _make_group(self, wait: Wait, call: range) -> tuple[int, list[_native.Put]]:
        tasks = sorted(wait.of)
        self._check(tasks, call)
        numbers = self._take_groups(gate_tuples.group_numbers(len(tasks)))
        return numbers[0], gate_tuples.group(self._session, numbers, tasks)

    def _take_groups(self, count: int) -> list[int]:
        with self._lock:
            numbers = list(range(self._next_group, self._next_group - count, -1))
            self._next_group -= len(numbers)
        return numbers

    # ---- are they there?

    def _check(self, tasks: Sequence[TaskKey], call: range) -> None:
        """Raises: InvalidDependency.  Own tasks whose results have not come are there; for the others the farm is asked.

        Since a task waits only for those that are there before it, tasks never wait for each other in a circle.
        """
        unsure = [task for task in tasks if task[1] in call or not self._submitter.is_outstanding(*task)]
        asked = [(task, self._space.send_count(farm.results_form(*task))) for task in unsure]
        missing = [task for task, request in asked if not self._client.wait(request)]
        for task in missing:
            if not self._is_there(task):
                raise InvalidDependency(
                    f"there is no task {farm.message_id(*task)} and no result of it in the farm; "
                    "was it purged, or not submitted yet?"
                )

    def _is_there(self, task: TaskKey) -> bool:
        # Its result may have come since it was looked for, so that is looked for once more.
        rows = self._client.wait(self._space.send_list(farm.tasks_form(*task), limit=1, all_states=True))["tuples"]
        return bool(rows) or bool(self._client.wait(self._space.send_count(farm.results_form(*task))))


def release_waiting(space: _native.Space, session: str, numbers: Any) -> None:
    """Let the tasks `numbers` of a client go that wait for others, to be aborted: whoever takes one finishes it as aborted."""
    form = farm.tasks_form(session, numbers, kind=farm.CONDITIONAL)
    waiting = (row["fields"] for row in listed(space, form) if row["state"] == "guarded")
    for some in batches(waiting, PAGE):
        gates = [read(fields[farm.TASK_PAYLOAD][3]).gate_of(fields[farm.TASK_NUMBER]) for fields in some]
        space.client.wait(space.send_put([gate_tuples.gate(session, gate, farm.ABORTED) for gate in gates]))


# ---- pure ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wait:
    """One set of tasks to wait for."""

    of: frozenset[TaskKey]
    all: bool
    success: bool
    failure: bool

    @cached_property
    def only(self) -> TaskKey | None:
        """The task, if it is a single one; then no group is needed."""
        return next(iter(self.of)) if len(self.of) == 1 else None

    @cached_property
    def good(self) -> list[str]:
        """The statuses that count."""
        return [*((farm.OK,) if self.success else ()), *(farm.FAILURES if self.failure else ())]

    @cached_property
    def good_verdicts(self) -> list[str]:
        """The verdicts that let the task run."""
        return [farm.MET] if self.all and self.only is None else self.good

    @cached_property
    def verdicts(self) -> list[str]:
        """The verdicts that decide.  Those of a group begin with its edges."""
        if self.only is not None:
            return list(farm.STATUSES)
        if self.all:
            return [*(status for status in farm.STATUSES if status not in self.good), farm.MET]
        return [*self.good, farm.MET]

    @cached_property
    def verdicts_form(self) -> Any:
        """`verdicts` as a field of a template."""
        return OneOf(self.verdicts)


def joined(dependencies: Sequence[Dependency], arguments: Iterable[TaskKey] = ()) -> list[Wait]:
    """As few waits as possible: those on all of their tasks in the same way are one."""
    plain = set(arguments)
    rest: list[Wait] = []
    for each in dependencies:
        of = frozenset(map(_task_key, each))
        if each.all and each.success and not each.failure:
            plain |= of
        elif of:
            rest.append(Wait(of, each.all, each.success, each.failure))
    return [*([Wait(frozenset(plain), True, True, False)] if plain else []), *dict.fromkeys(rest)]


def _task_key(message_id: str) -> TaskKey:
    try:
        return farm.parse_message_id(message_id)
    except ValueError as error:
        raise InvalidDependency(str(error)) from None


def statuses_of(dependency: Dependency) -> list[str]:
    """The statuses that count for it."""
    return Wait(frozenset(), dependency.all, dependency.success, dependency.failure).good


def _remember(known: dict[Any, Any], key: Any, value: Any) -> None:
    known[key] = value
    while len(known) > _REMEMBERED:
        del known[next(iter(known))]
