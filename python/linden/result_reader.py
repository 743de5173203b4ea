"""Who reads results: one standing read per client, drained by whoever waits.

A thread in ``get()`` drains the stream itself, so that a result costs one wake-up and no hand-over between threads.  Only
when nobody waits does the completion thread take over, a few milliseconds later, for callbacks, awaits and maps that go on
in the background.

At any time one thread drains (it holds `_drain_lock`); others that wait are followers, and are woken when something has
arrived or when it is their turn.  Ctrl-C may strike anywhere in the draining thread.  So what is taken from the stream goes
to `_inbox` without a byte code in between, and leaves it only after it has been stored; storing twice does no harm.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any, Protocol

from . import _native, farm
from .errors import Closed, OutcomeUnknown

_CREDIT = 100_000
_TAKE_OVER_AFTER_S = 0.005
_BACKGROUND_PULL_S = 0.05
_SOON_S = 0.01
_IDLE_ROUNDS = 20
_JOIN_S = 2.0
_LOST_S = 1.0
_FOREVER_S = 3600.0


class TaskGroup(Protocol):
    """What waits for results: an AsyncResult."""

    def store_result(self, number: int, fields: Sequence[Any]) -> bool:
        """The result of task `number` has come; whether it was the last one.  May be called twice; must not wait."""
        ...

    def complete(self) -> None:
        """All results are here: time for callbacks, which may wait for other results."""

    def store_output(self, number: int, id: int, stream: str, payload: Any) -> None:
        """The task has printed or displayed something.  May be called twice with the same `id`."""

    def fail(self, error: BaseException) -> None:
        """No further result will come."""

    def when_done(self, function: Callable[[Any], Any], /) -> Any:
        """Call `function` with it once all results are here, or none will come; at once if that is so.  Takes nothing from the stream."""


class Submitted(Protocol):
    """What was put together; an AsyncResult, or some tasks of one."""

    def fail(self, error: BaseException) -> None:
        """It was refused, or nothing more will be heard of it."""


class ResultReader:
    """Hands the results of one client to the groups that wait for them.  Safe to use from several threads."""

    def __init__(self, client: _native.Client, space: _native.Space) -> None:
        self._client = client
        self._stream = space.open_stream(_native.READ, farm.client_forms(client.session), credit=_CREDIT)
        self._inbox: deque[_native.Handout] = deque()
        self._outstanding: dict[int, TaskGroup] = {}
        self._unconfirmed: deque[tuple[int, Submitted]] = deque()
        self._asked_for = 0  # the put whose answer was waited for last
        self._drain_lock = threading.RLock()  # re-entrant: a callback of a result may wait for another one
        self._confirm_lock = threading.RLock()
        self._count_lock = threading.Lock()
        self._waiting = 0  # threads in wait_until
        self._turn = threading.Condition(self._count_lock)
        self._followers = 0
        self._work = threading.Event()
        self._urgent = False
        self._thread: threading.Thread | None = None
        self._closed = False

    # ---- what is expected

    def expect(self, numbers: range, group: TaskGroup) -> None:
        """Results of these tasks belong to `group`.  To be called before the tasks are put."""
        self._outstanding.update(dict.fromkeys(numbers, group))

    def confirm_later(self, request: int, group: Submitted) -> None:
        """The put `request` carries tasks of `group`; if it is refused, the group fails."""
        self._unconfirmed.append((request, group))

    def expects(self, number: int) -> bool:
        """Whether the result of the task has not come."""
        return number in self._outstanding

    def outstanding(self) -> list[int]:
        """Numbers of tasks whose results have not come."""
        return list(self._outstanding)

    def forget(self, numbers: Sequence[int]) -> None:
        """Expect no results of these tasks any more."""
        for number in numbers:
            self._outstanding.pop(number, None)

    # ---- waiting

    def wait_until(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Drain until `done()`; False after `timeout` seconds.

        Raises: ConnectionLost, Closed and the like: nothing more will come.
        """
        if done():
            return True
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._count_lock:
            self._waiting += 1
        try:
            return self._wait(done, deadline)
        finally:
            with self._count_lock:
                self._waiting -= 1
            if self._outstanding:
                self.nudge()

    def _wait(self, done: Callable[[], bool], deadline: float | None) -> bool:
        while not done():
            remaining = _remaining(deadline)
            if self._drain_lock.acquire(blocking=False):
                try:
                    self._drain(done, remaining)
                finally:
                    self._drain_lock.release()
                    self._wake_followers()
            else:
                self._confirm(deadline)  # the drainer waits for its own results, and may not look at our puts
                self._follow(done, remaining)
            if remaining == 0.0:
                return done()
        return True

    def poll(self) -> None:
        """Store what has arrived, without waiting."""
        self._confirm(time.monotonic())
        if self._drain_lock.acquire(blocking=False):
            try:
                self._pull(0.0)
                self._dispatch()
            finally:
                self._drain_lock.release()
                self._wake_followers()

    def _drain(self, done: Callable[[], bool], remaining: float | None) -> None:
        deadline = None if remaining is None else time.monotonic() + remaining
        while True:
            if self._inbox:
                self._dispatch()
            if done():
                return
            self._pull_or_confirm(deadline)
            if not self._inbox and _remaining(deadline) == 0.0:
                return
            if self._followers:
                self._dispatch()
                self._wake_followers()

    def _pull_or_confirm(self, deadline: float | None) -> None:
        """Wait for results.  Whether puts were accepted is looked at once the results are not here soon: usually they
        are, and then the answers to the puts came before them and cost no wake-up of their own."""
        remaining = _remaining(deadline)
        if not self._unconfirmed:
            self._pull(remaining)
            return
        self._pull(_SOON_S if remaining is None else min(remaining, _SOON_S))
        self._confirm(time.monotonic() if self._inbox else deadline)

    def _pull(self, timeout: float | None) -> None:
        # All in C, from the stream to the inbox: nothing can be lost to Ctrl-C on the way.
        batches = iter(partial(self._stream.next_batch, timeout), None)
        self._inbox.extend(chain.from_iterable(islice(batches, 1)))

    def _dispatch(self) -> None:
        inbox = self._inbox
        outstanding = self._outstanding
        while inbox:
            handout = inbox[0]
            fields = handout.fields
            number = fields[2]
            group = outstanding.get(number)
            if group is not None:
                if fields[0] == "result":
                    is_last = group.store_result(number, fields)
                    outstanding.pop(number, None)
                    inbox.popleft()
                    if is_last:
                        group.complete()
                    continue
                group.store_output(number, handout.id, fields[3], fields[5])
            inbox.popleft()

    def _follow(self, done: Callable[[], bool], remaining: float | None) -> None:
        with self._turn:
            self._followers += 1
            try:
                # The drainer notifies after each batch and when it leaves; the time limit only guards against a
                # hand-over that happened just before we came here.
                if not done():
                    self._turn.wait(_BACKGROUND_PULL_S if remaining is None else min(remaining, _BACKGROUND_PULL_S))
            finally:
                self._followers -= 1

    def _wake_followers(self) -> None:
        if self._followers:
            with self._turn:
                self._turn.notify_all()

    # ---- puts

    def _confirm(self, deadline: float | None) -> None:
        """Wait for the answers to puts, in order."""
        if not self._unconfirmed:
            return
        limit = _FOREVER_S if deadline is None else max(0.0, deadline - time.monotonic())
        if not self._confirm_lock.acquire(timeout=limit):
            return
        try:
            while self._unconfirmed:
                request, group = self._unconfirmed[0]
                if not self._confirm_one(request, group, _remaining(deadline)):
                    return
                self._unconfirmed.popleft()
        finally:
            self._confirm_lock.release()

    def _confirm_one(self, request: int, group: Submitted, timeout: float | None) -> bool:
        # Ctrl-C in an earlier wait for it may have struck after the answer was consumed.  Then none will come, or an error
        # that is no refusal.
        in_vain = request == self._asked_for
        self._asked_for = request
        limit = _LOST_S if timeout is None or timeout > _LOST_S else timeout
        try:
            self._client.wait(request, limit if in_vain else timeout)
        except OutcomeUnknown:
            if in_vain:
                return limit == _LOST_S
            self._asked_for = 0
            return False
        except Exception as error:  # noqa: BLE001  (a refusal belongs to the group)
            if not in_vain:
                group.fail(error)
        return True

    # ---- the completion thread

    def nudge(self, urgent: bool = False) -> None:
        """Results are expected that nobody may wait for; `urgent`: somebody hears of them by a callback."""
        if urgent:
            self._urgent = True
        if self._work.is_set():
            return
        if self._thread is None:
            self._start_thread()
        self._work.set()

    def _start_thread(self) -> None:
        with self._turn:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="linden-results", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._closed:
            self._work.wait()
            idle = 0
            while idle < _IDLE_ROUNDS and not self._waiting and not self._closed:
                if not self._urgent:
                    time.sleep(_TAKE_OVER_AFTER_S)
                self._urgent = False
                if not self._outstanding:
                    idle += 1
                    continue
                idle = 0
                if not self._take_over():
                    return
            self._work.clear()  # who leaves wait_until, or submits, sets it again
            if self._outstanding and not self._waiting:
                self._work.set()

    def _take_over(self) -> bool:
        """Drain until somebody waits or nothing is outstanding; False if nothing will ever come again."""
        if not self._drain_lock.acquire(blocking=False):
            return True
        try:
            while self._outstanding and not self._waiting and not self._closed:
                self._confirm(time.monotonic())
                self._pull(_BACKGROUND_PULL_S)
                self._dispatch()
        except Exception as error:  # noqa: BLE001  (whatever ends the stream ends everything that waits for it)
            self.fail_all(error)
            return False
        finally:
            self._drain_lock.release()
            self._wake_followers()
        return True

    # ---- the end

    def fail_all(self, error: BaseException) -> None:
        """Nothing more will come."""
        groups = {id(group): group for group in list(self._outstanding.values())}
        self._outstanding.clear()
        for group in groups.values():
            group.fail(error)

    def close(self) -> None:
        """To be called after the native client was closed.  What is outstanding fails with Closed; tasks go on."""
        self._closed = True
        self._work.set()
        self._wake_followers()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_JOIN_S)
        self.fail_all(Closed("the client was closed"))


def _remaining(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
