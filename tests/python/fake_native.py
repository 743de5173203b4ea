"""A farm in memory, as far as clients need one: puts are kept, and a read that finds nothing lets an engine run a task.

Everything happens in the thread that waits, so tests are deterministic and need no sleep.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from linden import _native, farm
from linden.errors import InvalidArgument, NoMatch, OutcomeUnknown
from linden.reference import set_resolver
from linden.result_reader import ResultReader
from linden.submission import Submitter
from linden.task_queues import ANY_QUEUE
from linden_engine.namespace import Namespace
from linden_engine.run_task import TaskRunner


class FakeFarm:
    """Client, space and engines in one; `client` is what a view needs of a linden.Client."""

    def __init__(self, engines: int = 2) -> None:
        self.session = "c" * 32
        self.tasks: deque[tuple[Any, ...]] = deque()
        self.functions: dict[str, Any] = {}
        self.arrived: deque[SimpleNamespace] = deque()
        self.put_sizes: list[int] = []
        self.refuse: Callable[[tuple[Any, ...]], bool] = lambda fields: False
        self.answers_known = True
        self.runs_in_background = False  # whether engines run while only the completion thread waits
        self._refused: set[int] = set()
        self._request = 0
        self._tuple = 0
        namespace = Namespace()
        set_resolver(namespace.evaluate)
        self.payloads: dict[int, Any] = {}  # shared ones, by the tuple's id
        self._runner = TaskRunner(self.functions.__getitem__, namespace, lambda _client, number: self._payload(number))
        self.native_client = SimpleNamespace(session=self.session, wait=self._wait)
        self.native_space = SimpleNamespace(
            send_put=self._send_put,
            send_take=self._send_take,
            send_commit=self._send_commit,
            open_stream=lambda *_args, **_kwargs: self.stream,
        )
        self.stream = SimpleNamespace(next_batch=self._next_batch)
        self.reader = ResultReader(self.native_client, self.native_space)  # type: ignore[arg-type]
        self.submitter = Submitter(self.native_client, self.native_space, self.reader)  # type: ignore[arg-type]
        self.submitter.data.close()  # so that nobody looks for large data here
        self._engines = [farm.Engine(id_, f"{id_:032}", {}) for id_ in range(engines)]
        self.block = False
        self.aborted: list[Any] = []

    # ---- as a linden.Client

    def engines(self) -> list[farm.Engine]:
        return self._engines

    def engines_of(self, targets: Any, *, native: bool | None = False) -> tuple[list[farm.Engine], bool]:
        if targets in (None, "all"):
            return self._engines, False
        if isinstance(targets, int):
            return [self._engines[targets]], True
        return [self._engines[id_] for id_ in targets], False

    def abort(self, job: Any) -> None:
        self.aborted.append(job)

    def wait_any(self, results: Any, timeout: float | None = None) -> bool:
        return self.reader.wait_until(lambda: any(result._is_complete() for result in results), timeout)

    # ---- as a native client and space

    def _send_put(self, puts: list[_native.Put], queue: bool = False, patient: bool = False) -> int:
        self._request += 1
        self.put_sizes.append(len(puts))
        for put in puts:
            fields = put.fields
            if self.refuse(fields):
                self._refused.add(self._request)
            elif fields[0] == "task":
                self.tasks.append(fields)
            elif fields[0] == "function":
                from linden import serialize

                self.functions[fields[1]] = serialize.unpack(fields[2])
            elif fields[0] == "payload":
                self.payloads[self._request] = fields
        return self._request

    def _payload(self, number: int) -> Any:
        return next(fields[3] for fields in self.payloads.values() if fields[2] == number)

    def _send_commit(self, puts: Any, finishes: Any, takes: list[int]) -> int:
        self._request += 1
        for tuple_id in takes:
            del self.payloads[tuple_id]
        return self._request

    def _send_take(self, mode: int, forms: Any, **_options: Any) -> int:
        self._request += 1
        if forms[0][0] != "function" or forms[0][1] not in self.functions:
            self._refused.add(-self._request)
        return self._request

    def _wait(self, request: int, timeout: float | None = None) -> Any:
        if -request in self._refused:
            raise NoMatch("nothing")
        if not self.answers_known:
            raise OutcomeUnknown("later")
        if request in self._refused:
            raise InvalidArgument("refused")
        return [request]

    def _next_batch(self, timeout: float | None = None, count: int = 0) -> list[SimpleNamespace]:
        in_background = threading.current_thread() is not threading.main_thread()
        if not self.arrived and self.tasks and (self.runs_in_background or not in_background):
            self.run_next()
        if not self.arrived and timeout is None:
            raise AssertionError("would wait for ever")
        if not self.arrived and timeout:
            time.sleep(min(timeout, 0.001))  # as the real one waits; nothing depends on how long
        batch = list(self.arrived)
        self.arrived.clear()
        return batch

    # ---- as an engine

    def run_next(self, position: int = 0) -> None:
        """Run the task at `position` of the queue."""
        fields = self.tasks[position]
        del self.tasks[position]
        status, payload = self._runner.run(fields)
        queue = fields[farm.TASK_QUEUE]
        engine = 0 if queue == ANY_QUEUE else int(queue.rpartition(":")[2])
        self.deliver(fields[farm.TASK_NUMBER], status, payload, engine=engine)

    def deliver(self, number: int, status: str, payload: Any, seconds: float = 0.001, engine: int = 0) -> None:
        """A result arrives."""
        self.arrive(farm.result(self.session, number, status, [engine, "e" * 32, 1000.0, 1000.0 + seconds], payload))

    def hold(self) -> list[tuple[Any, ...]]:
        """Take all tasks away, so that nothing runs by itself."""
        tasks = list(self.tasks)
        self.tasks.clear()
        return tasks

    def arrive(self, put: _native.Put) -> None:
        """A tuple of interest was put."""
        self._tuple += 1
        self.arrived.append(SimpleNamespace(id=self._tuple, attempt=0, index=0, fields=put.fields))
