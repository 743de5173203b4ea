"""A space in memory, with as much of the native interface as groups of tasks use; each user has a session.  Blocks threads, really."""

from __future__ import annotations

import ast
import itertools
import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from linden import ANY, _native
from linden.errors import NoMatch, TransactionConflict

_LONG_S = 30.0


class MemorySpace:
    """The tuples that all sessions share, oldest first."""

    def __init__(self) -> None:
        self.tuples: dict[int, tuple[Any, ...]] = {}
        self.states: dict[int, str] = {}  # of those that are not ready
        self.news = threading.Condition()
        self.ids = itertools.count(1)

    def session(self, name: str) -> SessionSpace:
        """The space as one client sees it."""
        return SessionSpace(self, name)

    def find(self, form: Sequence[Any]) -> list[int]:
        """Ids of the tuples that match."""
        return [id_ for id_, fields in self.tuples.items() if _matches(form, fields)]


def _matches(form: Sequence[Any], fields: Sequence[Any]) -> bool:
    return len(form) == len(fields) and all(map(_matches_field, form, fields))


def _matches_field(wanted: Any, found: Any) -> bool:
    if type(wanted) is _native.Between:
        low, high = ast.literal_eval(repr(wanted).removeprefix("Between"))
        return type(found) is type(low) and low <= found <= high
    return wanted is ANY or type(wanted) is _native.Typed or (type(wanted) is type(found) and wanted == found)


class SessionSpace:
    """Requests take effect when they are made, but a read that finds nothing: its thread waits for the answer."""

    def __init__(self, shared: MemorySpace, session: str) -> None:
        self._shared = shared
        self._answers: dict[int, Callable[[], Any]] = {}
        self._request = itertools.count(1)
        self.client = SimpleNamespace(session=session, wait=self._wait)

    def _answer(self, answer: Callable[[], Any]) -> int:
        request = next(self._request)
        self._answers[request] = answer
        return request

    def _wait(self, request: int, _timeout: float | None = None) -> Any:
        return self._answers.pop(request)()

    def send_put(self, puts: Sequence[_native.Put], patient: bool = False) -> int:
        return self._done(self._put(puts))

    def _put(self, puts: Sequence[_native.Put]) -> list[int]:
        with self._shared.news:
            ids = [next(self._shared.ids) for _ in puts]
            self._shared.tuples.update((id_, put.fields) for id_, put in zip(ids, puts, strict=True))
            self._shared.news.notify_all()
        return ids

    def _done(self, value: Any) -> int:
        return self._answer(lambda: value)

    def send_commit(self, puts: Sequence[_native.Put], finishes: Sequence[Any], takes: Sequence[int]) -> int:
        def refuse() -> Any:
            raise TransactionConflict("a tuple is not there")

        with self._shared.news:
            if any(id_ not in self._shared.tuples for id_ in takes):
                return self._answer(refuse)
            for id_ in takes:
                del self._shared.tuples[id_]
            return self._done(self._put(puts))

    def send_finish(self, items: Sequence[tuple[tuple[int, int], Sequence[_native.Put]]]) -> int:
        with self._shared.news:
            for (id_, _), puts in items:
                del self._shared.tuples[id_]
                self._put(puts)
        return self._done([0] * len(items))

    def send_count(self, form: Sequence[Any]) -> int:
        with self._shared.news:
            return self._done(len(self._shared.find(form)))

    def send_list(self, form: Sequence[Any], limit: int = 100, all_states: bool = False) -> int:
        with self._shared.news:
            rows = [
                {"id": id_, "fields": self._shared.tuples[id_], "state": self._shared.states.get(id_, "ready")}
                for id_ in self._shared.find(form)[:limit]
            ]
        return self._done({"tuples": rows, "more": False})

    def send_take(self, mode: int, forms: Sequence[Any], *, count: int = 1, timeout: float | None = None) -> int:
        return self._answer(lambda: self._take(mode, forms, count, timeout))

    def _take(self, mode: int, forms: Sequence[Any], count: int, timeout: float | None) -> list[SimpleNamespace]:
        def found() -> list[SimpleNamespace]:
            return [
                SimpleNamespace(id=id_, attempt=1, index=index, fields=self._shared.tuples[id_])
                for index, form in enumerate(forms)
                for id_ in self._shared.find(form)
                if id_ not in self._shared.states
            ][:count]

        with self._shared.news:
            handouts = self._shared.news.wait_for(found, _LONG_S if timeout is None else timeout)
            if not handouts:
                raise NoMatch("nothing")
            if mode == _native.TAKE:
                for handout in handouts:
                    del self._shared.tuples[handout.id]
            return list(handouts)
