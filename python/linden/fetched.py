"""Results by name: of another client, of an earlier day, or once more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from . import _native, farm, hub, hub_record
from .async_result import AsyncResult
from .errors import Cancelled, NoMatch
from .gather import GatherResult
from .map_result import AsyncMapResult
from .outcome import Metadata

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .client import Client


class Fetched(AsyncResult):
    """What results have in common that were asked for by message id: output is read from the farm when it is looked at."""

    _have_outputs = False

    def _metadata_of(self, position: int, id_: str) -> Metadata:
        self._load_outputs()
        return super()._metadata_of(position, id_)

    def _positions_with_output(self) -> list[int]:
        self._load_outputs()
        return super()._positions_with_output()

    def _pieces(self, position: int) -> list[tuple[int, str, Any]]:
        self._load_outputs()
        return super()._pieces(position)

    def _method(self, position: int) -> str:
        task = farm.task_of(self._raw[position][0])
        return str(task[farm.TASK_NAME]) if task is not None else self.msg_ids[position]

    def _load_outputs(self) -> None:
        """What has been printed so far; for the last time after the results, behind which all output is here (F5)."""
        if self._have_outputs:
            return
        was_complete = self._is_complete()
        outputs = hub.ask_for_each(self._client, self.msg_ids, farm.outputs_form)
        for position, (_, pieces) in enumerate(outputs):
            for row in pieces:
                self.store_output(position, row.id, row.fields[3], row.fields[5])
        self._have_outputs = was_complete

    def store(self, position: int, fields: Sequence[Any]) -> bool:
        """For the source only."""
        submitted = hub_record.submitted(fields)
        if submitted:
            self._submitted = min(self._submitted, submitted)
        is_news = super().store(position, fields)
        meta = fields[farm.RESULT_META]
        if len(meta) > farm.META_COMPLETED and meta[farm.META_COMPLETED]:
            # It was there when it was done, whenever it is looked at.
            self._raw[position] = (fields, meta[farm.META_COMPLETED])
        return is_news

    def _given(self) -> dict[str, Any]:
        return {}

    def _position(self, number: int) -> int:
        return number


class FetchedResult(Fetched):
    """Results that were asked for by message id, though they are of this client's own tasks."""

    def __init__(
        self,
        client: Client,
        source: Fetcher,
        ids: Sequence[str],
        *,
        single: bool,
        name: str = "get_result",
        label: str | None = None,
        return_exceptions: bool = False,
    ) -> None:
        super().__init__(client, source, ids, name, single=single, label=label, return_exceptions=return_exceptions)


class FetchedMapResult(Fetched, AsyncMapResult):
    """The results of a map that was unpickled."""


class FetchedGatherResult(Fetched, GatherResult):
    """The results of a gather that was unpickled."""


class AsyncHubResult(FetchedResult):
    """Results of another client's tasks, or of an earlier day: made by `Client.get_result`."""


def restored_class(client: Client, ids: Sequence[str]) -> type[FetchedResult]:
    """What the results of these tasks are for that client."""
    is_own = all(farm.parse_message_id(id_)[0] == client.session for id_ in ids)
    return FetchedResult if is_own else AsyncHubResult


class Fetcher:
    """Reads result tuples of any client; the source of FetchedResults."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._arrival = threading.Condition()

    def fetch(self, ids: Sequence[str], *, single: bool) -> FetchedResult:
        """A result for these message ids.

        Raises: ValueError: no message id. KeyError: there is neither a task nor a result of that id.
        """
        rows = {hub_record.message_id(row.fields): row for row in hub.find(self._client, ids)}
        for id_ in ids:
            if id_ not in rows:
                raise KeyError(f"no task or result {id_!r} in the farm; was it purged?")
        result = restored_class(self._client, ids)(self._client, self, list(ids), single=single)
        self._feed(result, ids, rows)
        return result

    def feed(self, result: AsyncResult, ids: Sequence[str]) -> None:
        """Fill `result` with the results of these tasks; it fails if one of them is not in the farm any more."""
        rows = {hub_record.message_id(row.fields): row for row in hub.find(self._client, ids)}
        self._feed(result, ids, rows)
        for id_ in ids:
            if id_ not in rows:
                result.fail(KeyError(f"no task or result {id_!r} in the farm; was it purged?"))

    def _feed(self, result: AsyncResult, ids: Sequence[str], rows: Mapping[str, hub.Row]) -> None:
        for position, id_ in enumerate(ids):
            row = rows.get(id_)
            if row is not None and row.fields[0] == "result":
                result.store(position, row.fields)
            elif row is not None:
                self._read(result, position, farm.results_form(*farm.parse_message_id(id_)))
        if result._is_complete():
            result.complete()

    def _read(self, result: AsyncResult, position: int, form: tuple[Any, ...]) -> None:
        space = self._client.space.native
        future = self._client.connection.completions.submit(
            lambda: space.send_take(_native.READ, [form], timeout=None, queue=True),
            lambda handouts: handouts[0].fields,
            space.cancel,
        )
        future.add_done_callback(partial(self._arrived, result, position))

    def _arrived(self, result: AsyncResult, position: int, future: Future[Any]) -> None:
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
