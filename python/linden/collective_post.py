"""What the tasks of a group say to each other, as tuples of the farm (docs/reference/farm-schema.md): a `Post` for each task.

Every message has one receiver, who reads it and removes it.  Whoever waits for a message waits for bad news at the same time: that some
task of the group has failed, which it says itself or the space says by its will when its engine dies; or that the one who should send
has ended.  So nobody waits in vain, and whoever ends last removes what is left.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _native, collective_tuples, farm, serialize
from .data import DataLost
from .error import CollectiveTimeout, RankFailed, RanksDisagree
from .errors import LindenError, NoMatch
from .fields import number_range
from .listing import PAGE

if TYPE_CHECKING:
    from .data import FarmData
    from .space import Space

_space: Space | None = None
# How often it is looked whether a value that goes by reference has been received, once its task has ended; at first and at most.
_LOOK_S = 0.2
_LOOK_MAX_S = 10.0


class Message(NamedTuple):
    """A value, and of which operation."""

    what: str
    value: Any


class Post:
    """Sends and receives for the task `rank` of the tasks `call` of a client."""

    def __init__(
        self,
        space: _native.Space,
        client: str,
        call: range,
        rank: int,
        engine: int,
        data: FarmData | None = None,
    ) -> None:
        """`data`: where large parts of messages go."""
        self._space = space
        self._data = data
        self._lent: dict[int, deque[tuple[int, Any]]] = {}  # by receiver, numbers and what goes by reference
        self._asked: list[
            tuple[int, int, int]
        ] = []  # receiver, the last number, and a count of what he has not received up to it
        self._client = client
        self._call = call
        self._rank = rank
        self._session = space.client.session
        self._sent: Counter[int] = Counter()
        self._received: Counter[int] = Counter()
        self._unanswered: list[int] = []
        self._to_remove: list[int] = []
        self._removing: list[int] = []
        self.name = farm.message_id(client, call.start)
        self._who = f"rank {rank} on engine {engine}"
        died = f"{self._who} has failed: its engine died"
        self._here = space.send_put(
            [collective_tuples.here(client, call.start, rank, self._session, died)], patient=True
        )

    def space(self) -> Space:
        """The space, for whatever a task wants of it."""
        global _space
        from .completions import Completions
        from .space import Space

        if _space is None or _space.native is not self._space:
            # One for all tasks: a client has one thread for the answers of its futures.
            _space = Space(self._space, Completions(self._space.client))
        return _space

    # ---- messages

    def send(self, to: int, what: str, value: Any) -> None:
        """Put a message; `settle` waits until it is there.

        Raises: NotPicklable.
        """
        packed, lent = (serialize.pack_result(value), None) if self._data is None else self._data.lend(value)
        n = self._sent[to]
        put = collective_tuples.collective(
            self._client, self._call.start, n, self._rank, to, [what, packed], self._session
        )
        if lent:
            self._lent.setdefault(to, deque()).append((n, lent))
        self._sent[to] += 1
        self._unanswered.append(self._space.send_put([put], patient=True))

    def receive(self, source: int, what: str, deadline: float | None) -> Message:
        """The next message of that task.

        Args: what: the operation, for errors. deadline: of time.monotonic().
        Raises: RankFailed; RanksDisagree: it has ended. CollectiveTimeout.
        """
        form = collective_tuples.collective_form(
            self._client, self._call.start, self._received[source], source, self._rank
        )
        found = self._read([form, self._failed_form(), self._result_form(source)], deadline)
        if found is not None and found.index != 0:
            # Its message was put before the bad news, if at all, and then it counts.
            found = self._read([form], 0.0) or found
        if found is None:
            raise CollectiveTimeout(f"{what}: rank {source} did not come in time; is it still at work, or elsewhere?")
        if found.index != 0:
            raise self._bad_news(found.fields, source, what)
        self._received[source] += 1
        self._to_remove.append(found.id)
        name, packed = found.fields[-1]
        try:
            return Message(name, serialize.unpack_result(packed))
        except DataLost as error:
            raise RankFailed(f"{what}: rank {source} has sent a large value, and has gone with it: {error}") from None

    def settle(self) -> None:
        """Wait until the space has all that was sent, and let it remove what was received.

        Raises: LindenError: it has refused something.
        """
        unanswered, self._unanswered = self._unanswered, []
        for request in unanswered:
            self._space.client.wait(request)
        # Nobody waits for removals; their answers are read at the next occasion.
        removing, self._removing = self._removing, []
        for request in removing:
            self._wait_for_removal(request)
        if self._to_remove:
            self._removing.append(self._space.send_commit([], [], self._to_remove))
            self._to_remove = []
        # Nor for these: what has been received meanwhile is let go of with the next operation.
        self._let_go()
        self._ask()

    def _ask(self) -> None:
        """How many of the messages with large values have not been received, and so removed."""
        for to, lent in self._lent.items():
            numbers = number_range(lent[0][0], lent[-1][0])
            form = collective_tuples.collective_form(self._client, self._call.start, numbers, self._rank, to)
            self._asked.append((to, lent[-1][0], self._space.send_count(form)))

    def _let_go(self) -> None:
        """Of large values that have been received, as far as was asked: messages between two ranks are received in their order."""
        asked, self._asked = self._asked, []
        for to, last, request in asked:
            first_left = last + 1 - self._space.client.wait(request)
            lent = self._lent.get(to)
            while lent and lent[0][0] < first_left:
                lent.popleft()
            if not lent:
                self._lent.pop(to, None)

    def _linger(self) -> None:
        """The task has ended, and somebody has not received all yet: he will, or he has died, and then we may be the last."""
        pause = _LOOK_S
        with suppress(LindenError):  # the connection is closed
            while self._lent:
                time.sleep(pause)
                pause = min(2 * pause, _LOOK_MAX_S)
                self._ask()
                self._let_go()
                if self._lent and self._is_last():
                    self._remove_all()
                    self._lent.clear()

    def _wait_for_removal(self, request: int) -> None:
        try:
            self._space.client.wait(request)
        except LindenError:  # somebody has purged it
            return

    # ---- the end

    def leave(self, failure: str | None) -> None:
        """The task has ended; `failure` is how, unless it was well.  Whoever is the last removes all that is left.

        Raises: LindenError.
        """
        try:
            self.settle()
        except LindenError as error:
            failure = failure or f"a message of it was refused: {error}"
            raise
        finally:
            if self._say_end(failure) and self._is_last():
                self._remove_all()
                self._lent.clear()
            if self._lent:
                threading.Thread(target=self._linger, name="linden-lent", daemon=True).start()

    def _say_end(self, failure: str | None) -> bool:
        """Put the mark that the others wait for; False: what the call had is gone."""
        wait = self._space.client.wait
        said = None if failure is None else f"{self._who} has failed: {failure}"
        mark = collective_tuples.left(self._client, self._call.start, self._rank, self._session, said)
        try:
            wait(self._space.send_commit([mark], [], wait(self._here)))
        except LindenError:  # it was purged
            return False
        return True

    def _is_last(self) -> bool:
        wait, count = self._space.client.wait, self._space.send_count
        if wait(count(self._form(collective_tuples.HERE))):
            return False
        rows = [
            row
            for what in (collective_tuples.LEFT, collective_tuples.FAILED)
            for row in wait(self._space.send_list(self._form(what), limit=len(self._call)))["tuples"]
        ]
        ranks = {row["fields"][collective_tuples.COLLECTIVE_SOURCE] for row in rows}
        missing = [rank for rank in range(len(self._call)) if rank not in ranks]
        # They have ended before they took part, or they have not begun.
        ended = [wait(request) for request in [count(self._result_form(rank)) for rank in missing]]
        return all(ended)

    def _remove_all(self) -> None:
        form = collective_tuples.collective_form(self._client, self._call.start)
        while True:
            try:
                self._space.client.wait(self._space.send_take(_native.TAKE, [form], count=PAGE, timeout=0.0))
            except NoMatch:
                return

    # ---- reading

    def _read(self, forms: list[Any], deadline: float | None) -> _native.Handout | None:
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        request = self._space.send_take(_native.READ, forms, timeout=timeout)
        try:
            found: _native.Handout = self._space.client.wait(request)[0]
        except NoMatch:
            return None
        except BaseException:  # the task is cancelled
            self._space.cancel(request)
            raise
        return found

    def _form(self, what: str) -> tuple[Any, ...]:
        return collective_tuples.collective_form(self._client, self._call.start, what)

    def _failed_form(self) -> tuple[Any, ...]:
        return self._form(collective_tuples.FAILED)

    def _result_form(self, rank: int) -> tuple[Any, ...]:
        return farm.results_form(self._client, self._call.start + rank)

    def _bad_news(self, fields: Any, source: int, what: str) -> Exception:
        if fields[0] != "result":
            return RankFailed(f"{what}: {fields[-1]}")
        status = fields[farm.RESULT_STATUS]
        if status == farm.OK:
            return RanksDisagree(f"{what}: rank {source} has ended and does not take part")
        engine = farm.engine_of(fields)
        where = "" if engine is None else f" on engine {engine}"
        return RankFailed(f"{what}: rank {source}{where} has failed: its task ended with status {status!r}")
