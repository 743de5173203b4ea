"""How a client puts a task that waits for others: which gates and groups it needs beside itself (docs/design/task-graphs.md).

A task waits for tuples only, so it goes on without its client, and there is no scheduler.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _native, farm
from .conditions import Conditions, Follow, Stage
from .dependency import Dependency
from .error import InvalidDependency

if TYPE_CHECKING:
    from .submission import Submitter

TaskKey = tuple[str, int]

_FRAME_TUPLES = 20_000
# A group that is used for the first time, and not too large, travels with its task; it is made to be shared at the second time.
_OWN_GROUP_MAX = 1_000
_REMEMBERED = 1_000
_PAGE = 1_000


class Wish(NamedTuple):
    """What the tasks of one call are to wait for, and where to run."""

    after: Sequence[Dependency] = ()
    follow: Sequence[Dependency] = ()
    timeout: float | None = None
    targets: Sequence[int] | None = None

    def __bool__(self) -> bool:
        return bool(self.after or self.follow or self.timeout is not None or self.targets is not None)


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
        self._seen: dict[frozenset[TaskKey], None] = {}
        self._groups: dict[frozenset[TaskKey], int] = {}

    def forget(self) -> None:
        """Gates have been purged; groups are made anew."""
        with self._lock:
            self._seen.clear()
            self._groups.clear()

    def plan(self, number: int, wish: Wish | None, arguments: Iterable[TaskKey], attempts: int, call: range) -> Plan:
        """What the task `number` needs that fulfils `wish` and has the results of tasks `arguments` as arguments.

        `call`: the numbers of the call's tasks, none of which may wait for another. `attempts`: how many engines may die with it.
        Raises: InvalidDependency: there is no such task.
        """
        wish = wish or Wish()
        puts: list[_native.Put] = []
        stages: list[Stage] = []
        for wait in _joined([*wish.after, *wish.follow], arguments):
            # The first stage has the task's own number, by which it is found when it is aborted or times out.
            gate = number if not stages else self._take_groups(1)[0]
            stages.append(self._stage(gate, wait, call, puts))
            if wish.timeout is not None:
                puts.append(farm.gate(self._session, gate, farm.TIMEOUT, delay=max(0.01, wish.timeout)))
        if not stages and wish.timeout is not None:
            puts.append(farm.gate(self._session, number, farm.TIMEOUT, delay=max(0.01, wish.timeout)))
        follow = [Follow(sorted(each), each.all, _statuses(each)) for each in wish.follow]
        conditions = Conditions(stages, follow, wish.targets, timeout=wish.timeout, attempts=attempts)
        return Plan(conditions, puts)

    # ---- stages

    def _stage(self, gate: int, wait: Wait, call: range, puts: list[_native.Put]) -> Stage:
        if len(wait.of) == 1:
            (only,) = wait.of
            self._check([only], call)
            puts.append(farm.relay_of_result(self._session, gate, only))
            return Stage(gate, farm.STATUSES, wait.good)
        group = self._group(wait.of, call, puts)
        puts.append(farm.relay_of_group(self._session, gate, group, wait.verdicts))
        return Stage(gate, wait.verdicts, wait.good_of_group)

    def _group(self, of: frozenset[TaskKey], call: range, puts: list[_native.Put]) -> int:
        with self._lock:
            known = self._groups.get(of)
            if known is not None:
                return known
            again = of in self._seen
            _remember(self._seen, of, None)
        tasks = sorted(of)
        self._check(tasks, call)
        numbers = self._take_groups(farm.group_numbers(len(tasks)))
        made = farm.group(self._session, numbers, tasks)
        if len(call) == 1 and not again and len(tasks) <= _OWN_GROUP_MAX:
            puts += made
            return numbers[0]
        # It has to be there for certain before others rely on it.
        for start in range(0, len(made), _FRAME_TUPLES):
            self._client.wait(self._space.send_put(made[start : start + _FRAME_TUPLES], patient=True))
        with self._lock:
            _remember(self._groups, of, numbers[0])
        return numbers[0]

    def _take_groups(self, count: int) -> list[int]:
        with self._lock:
            numbers = list(range(self._next_group, self._next_group - count, -1))
            self._next_group -= count
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
    after, more = 0, True
    while more:
        page = space.client.wait(space.send_list(form, after=after, limit=_PAGE, all_states=True))
        rows = page["tuples"]
        waiting = [row["fields"][farm.TASK_PAYLOAD][3] for row in rows if row["state"] == "guarded"]
        gates = [Conditions.from_text(text).stages[0].gate for text in waiting]
        if gates:
            space.client.wait(space.send_put([farm.gate(session, gate, farm.ABORTED) for gate in gates]))
        more = page["more"] and bool(rows)
        after = rows[-1]["id"] if rows else 0


# ---- pure ----------------------------------------------------------------------------------------------------------


class Wait(NamedTuple):
    """One set of tasks to wait for."""

    of: frozenset[TaskKey]
    all: bool
    success: bool
    failure: bool

    @property
    def good(self) -> list[str]:
        """The statuses that count."""
        return [*((farm.OK,) if self.success else ()), *(farm.FAILURES if self.failure else ())]

    @property
    def good_of_group(self) -> list[str]:
        """The verdicts of a group that let the task run."""
        return [farm.MET] if self.all else self.good

    @property
    def verdicts(self) -> list[str]:
        """The verdicts of a group that decide; edges come before MET."""
        if self.all:
            return [*(status for status in farm.STATUSES if status not in self.good), farm.MET]
        return [*self.good, farm.MET]


def _joined(dependencies: Sequence[Dependency], arguments: Iterable[TaskKey]) -> list[Wait]:
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


def _statuses(dependency: Dependency) -> list[str]:
    return Wait(frozenset(), dependency.all, dependency.success, dependency.failure).good


def _remember(known: dict[Any, Any], key: Any, value: Any) -> None:
    known[key] = value
    while len(known) > _REMEMBERED:
        del known[next(iter(known))]
