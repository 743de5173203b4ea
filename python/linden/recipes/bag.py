"""A bag of tasks: the oldest way to spread work with tuples, and still the best where any worker may do any task.

    ("bag-task", name, id, body)             max_attempts, and this will:
    ("bag-result", name, id, status, value)  status is "done" or "gave up"

A worker takes a task under a lease and finishes it with its result in one step.  So the task of a worker that is killed is
back in the bag, and each task has one result, however many workers have tried.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

from .. import _native
from ..errors import LindenError, StaleLease
from ..fields import ANY, Tuple, make_put
from ..reservation import Reservation
from ..space import Space
from .recipe import Recipe

Ids = list[str]


class GaveUp(LindenError):
    """A task was begun as often as allowed, and no worker finished it."""


class Work:
    """A task that is ours under a lease.  As a context manager: back in the bag unless it was finished."""

    def __init__(self, held: Reservation) -> None:
        self._held = held

    @property
    def id(self) -> str:
        """Of the task."""
        return str(self._held.tuple[2])

    @property
    def body(self) -> Any:
        """What is to be done."""
        return self._held.tuple[3]

    @property
    def attempt(self) -> int:
        """How often it has been handed out, this time included."""
        return self._held.attempt

    def finish(self, value: Any = None, more: Iterable[_native.Put] = ()) -> None:
        """Remove the task and put its result, and `more`, such as tasks that follow from it, in one step.

        Raises: StaleLease: we were taken for lost, and another worker has it; nothing has happened.
        """
        _, name, id, _ = self._held.tuple
        self._held.finish([("bag-result", name, id, "done", value), *more])

    def put_back(self) -> None:
        """Let another worker do it."""
        self._held.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._held.over:
            return
        try:
            self.put_back()
        except StaleLease:
            return  # it is back already

    def __repr__(self) -> str:
        return f"<linden.recipes.Work {self.body!r}, attempt {self.attempt}>"


class Bag(Recipe):
    """Tasks for whoever comes, and their results.

    Args: attempts: how often a task may be begun before it is given up.
    """

    kind = "bag"

    def __init__(self, space: Space, name: str, *, attempts: int = 3) -> None:
        if attempts < 1:
            raise ValueError(f"attempts is {attempts}; it must be at least 1")
        super().__init__(space, name)
        self._attempts = attempts

    # ---- for whoever has work

    def add(self, body: Any, *, priority: int = 0) -> str:
        """Put a task, and return its id."""
        id, task = self.task(body, priority=priority)
        self._space.native.client.wait(self._space.native.send_put([task]))
        return id

    def add_many(self, bodies: Iterable[Any], *, priority: int = 0) -> Ids:
        """Put several tasks in one step, and return their ids."""
        tasks = [self.task(body, priority=priority) for body in bodies]
        if tasks:
            self._space.native.client.wait(self._space.native.send_put([task for _, task in tasks]))
        return [id for id, _ in tasks]

    def task(self, body: Any, *, priority: int = 0) -> tuple[str, _native.Put]:
        """A task that has not been put: its id, and its tuple for `Work.finish(more=...)`."""
        id = uuid.uuid4().hex
        will = ("bag-result", self._name, id, "gave up", None)
        fields = ("bag-task", self._name, id, body)
        return id, make_put(fields, priority=priority, max_attempts=self._attempts, will=will)

    def result(self, id: str, *, timeout: float | None = None) -> Any:
        """Remove and return the result of one task.

        Raises: NoMatch (a TimeoutError): not in time. GaveUp.
        """
        return self._value(self._space.take(("bag-result", self._name, id, str, ANY), timeout=timeout))

    def results(self, count: int, *, timeout: float | None = None) -> Iterator[tuple[str, Any]]:
        """The next `count` results of any tasks as they come: (id, value); `timeout` is for each.

        Raises: NoMatch (a TimeoutError): none in time. GaveUp.
        """
        for _ in range(count):
            found = self._space.take(("bag-result", self._name, str, str, ANY), timeout=timeout)
            yield found[2], self._value(found)

    def _value(self, result: Tuple) -> Any:
        _, _, id, status, value = result
        if status != "done":
            raise GaveUp(f"task {id} of bag {self._name!r} was begun {self._attempts} times and never finished")
        return value

    # ---- for workers

    def work(self, *, timeout: float | None = None, lease: float = 30.0) -> Work:
        """Take a task under a lease; wait for one if there is none.

        Raises: NoMatch (a TimeoutError): nothing in time.
        """
        return Work(self._space.reserve(("bag-task", self._name, str, ANY), timeout=timeout, lease=lease))

    def __len__(self) -> int:
        """How many tasks wait; those that are being worked on are not counted."""
        return self._space.count(("bag-task", self._name, str, ANY))

    def __bool__(self) -> bool:
        return True
