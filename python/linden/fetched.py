"""Results by name: of another client, of an earlier day, or once more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from . import _native, farm
from .async_result import AsyncResult
from .errors import Cancelled, NoMatch
from .outcome import Metadata

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .client import Client


class FetchedResult(AsyncResult):
    """Results that were asked for by message id."""

    def __init__(self, client: Client, source: Fetcher, ids: Sequence[str], *, single: bool) -> None:
        super().__init__(client, source, ids, "get_result", single=single)
        self._fetcher = source
        self._have_outputs = False

    def _metadata_list(self) -> list[Metadata]:
        self._load_outputs()
        return super()._metadata_list()

    def _positions_with_output(self) -> list[int]:
        self._load_outputs()
        return super()._positions_with_output()

    def _pieces(self, position: int) -> list[tuple[int, str, Any]]:
        self._load_outputs()
        return super()._pieces(position)

    def _load_outputs(self) -> None:
        """Once, after the results, behind which all output is here (F5)."""
        if self._have_outputs or not self._is_complete():
            return
        self._have_outputs = True
        for position, id_ in enumerate(self.msg_ids):
            form = farm.outputs_form(*farm.parse_message_id(id_))
            for row in self._fetcher.listed(form):
                fields = row["fields"]
                self._outputs.setdefault(position, {})[row["id"]] = (fields[3], fields[5])


class Fetcher:
    """Reads result tuples of any client; the source of FetchedResults."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._arrival = threading.Condition()

    def fetch(self, ids: Sequence[str], *, single: bool) -> FetchedResult:
        """A result for these message ids.

        Raises: ValueError: no message id. KeyError: there is neither a task nor a result of that id.
        """
        keys = [farm.parse_message_id(id_) for id_ in ids]
        for key, id_ in zip(keys, ids, strict=True):
            if not self._is_known(*key):
                raise KeyError(f"no task or result {id_!r} in the farm; was it purged?")
        result = FetchedResult(self._client, self, list(ids), single=single)
        for position, key in enumerate(keys):
            self._read(result, position, farm.results_form(*key))
        return result

    def _is_known(self, session: str, number: int) -> bool:
        # Between the looks at the task and at the result, one may have become the other; so look at the result twice.
        result = farm.results_form(session, number)
        return bool(
            self.listed(result, 1) or self.listed(farm.tasks_form(session, number), 1) or self.listed(result, 1)
        )

    def listed(self, form: tuple[Any, ...], limit: int = 10_000) -> list[dict[str, Any]]:
        """Tuples of any state that match."""
        space = self._client.space.native
        return list(space.client.wait(space.send_list(form, limit=limit, all_states=True))["tuples"])

    def _read(self, result: FetchedResult, position: int, form: tuple[Any, ...]) -> None:
        space = self._client.space.native
        future = self._client.connection.completions.submit(
            lambda: space.send_take(_native.READ, [form], timeout=None, queue=True),
            lambda handouts: handouts[0].fields,
            space.cancel,
        )
        future.add_done_callback(partial(self._arrived, result, position))

    def _arrived(self, result: FetchedResult, position: int, future: Future[Any]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            if result.store(position, future.result()):
                result.complete()
        elif not isinstance(error, (Cancelled, NoMatch)):
            result.fail(error)
        with self._arrival:
            self._arrival.notify_all()

    # ---- as a ResultSource

    def wait_until(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until `done()`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._arrival:
            return bool(self._arrival.wait_for(done, None if deadline is None else deadline - time.monotonic()))

    def poll(self) -> None:
        """Results come by themselves."""

    def nudge(self, urgent: bool = False) -> None:
        """Results come by themselves."""

    def forget(self, numbers: Sequence[int]) -> None:
        """Nothing is kept here."""
