"""What the tasks of one call have in common, and how one of them is put."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _native, farm
from .error import InvalidDependency
from .kept import ArgumentKey, KeptKey
from .task_queues import ANY_QUEUE, tags_of_queue

if TYPE_CHECKING:
    from .conditions import Conditions
    from .submission import Submitter
    from .task_graph import TaskKey, Wish

# More are not asked about: most of the data are where most of these are.
_NEAR_MAX = 100

Queue = tuple[str, farm.Engine | None]
ANYWHERE: Queue = (ANY_QUEUE, None)


class MapTask(NamedTuple):
    """A function and how it is to be run."""

    name: str
    function: str
    retries: int | None
    priority: int
    submitted: float  # seconds since 1970
    label: str | None
    call: range | None = None  # of a direct view: the tasks that run side by side
    keep: bool = False

    def puts(
        self,
        submitter: Submitter,
        number: int,
        kind: str,
        payload: Any,
        queue: Queue = ANYWHERE,
        wish: Wish | None = None,
        results: Sequence[ArgumentKey] = (),
        call: range | None = None,
    ) -> list[_native.Put]:
        """The task `number`, after what it needs if it is to wait; its result instead if it waits for what is not there.

        `results`: tasks whose results are among its arguments. `call`: the numbers of all tasks of the call.
        """
        near, hosts = _rather(submitter, kind, payload, results) if queue[1] is None else ([], [])
        waits: list[TaskKey] = [key[:2] for key in results if type(key) is not KeptKey or not key.is_there]
        if not (wish or waits or near or hosts):
            return [self.put(submitter.session, number, kind, payload, queue)]
        try:
            conditions, before = submitter.graph.plan(
                number, wish, waits, farm.max_attempts(self.retries), call or range(number, number + 1)
            )
        except InvalidDependency as error:
            return [farm.failure(self.put(submitter.session, number, kind, payload, queue).fields, error)]
        if near or hosts:
            conditions = conditions.but(near=near, hosts=hosts)
        tags = tags_of_queue(queue[0])
        if tags != list(conditions.tags):
            conditions = conditions.but(tags=tags)
        return [*before, self.put(submitter.session, number, kind, payload, queue, conditions)]

    def put(
        self,
        session: str,
        number: int,
        kind: str,
        payload: Any,
        queue: Queue,
        conditions: Conditions | None = None,
    ) -> _native.Put:
        """The task `number` of the client `session`; without `conditions` it waits for nothing."""
        name, engine = queue
        return farm.task(
            name,
            session,
            number,
            self.name,
            kind,
            self.function,
            payload,
            retries=self.retries,
            priority=self.priority,
            engine=engine,
            submitted=self.submitted,
            label=self.label,
            conditions=conditions,
            call=self.call,
            keep=self.keep,
        )


def _rather(
    submitter: Submitter, kind: str, payload: Any, results: Sequence[ArgumentKey]
) -> tuple[list[str], list[tuple[str, int]]]:
    """Where a task that any engine may run had better do so: the tasks whose values it uses, and hosts that have its arguments."""
    if kind in farm.CALLS:  # engines in C++ do not choose
        return [], []
    hosts = submitter.data.hosts
    near = [farm.message_id(*key[:2]) for key in results if type(key) is KeptKey or hosts.are_several]
    return near[:_NEAR_MAX], submitter.data.hosts_of(payload)
