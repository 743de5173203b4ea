"""What is known of the tasks of an AsyncResult: names, metadata, times.  A part of AsyncResult."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from . import farm
from .execute_reply import ExecuteReply
from .outcome import METADATA_KEYS, Failure, Metadata, metadata_of, moment
from .task_output import fold

if TYPE_CHECKING:
    from .async_result import ResultSource


class TaskFacts:
    """Metadata never wait: what has not come yet is None."""

    known: dict[str, Any]
    _tasks: Sequence[str] | range
    _session: str | None
    _single: bool
    _label: str | None
    _submitted: float
    _source: ResultSource
    _raw: dict[int, tuple[Sequence[Any], float]]
    _outcomes: dict[int, Any]
    _outputs: dict[int, dict[int, tuple[str, Any]]]

    if TYPE_CHECKING:

        def done(self) -> bool: ...
        def _is_complete(self) -> bool: ...
        def _outcome(self, position: int) -> Any: ...

    @property
    def msg_ids(self) -> list[str]:
        """Names of the tasks, with which anybody can ask for their results."""
        return [self._message_id(position) for position in range(len(self._tasks))]

    def _message_id(self, position: int) -> str:
        task = self._tasks[position]
        return str(task) if self._session is None else farm.message_id(self._session, int(task))

    @property
    def msg_id(self) -> str:
        """Of the first task."""
        return self.msg_ids[0]

    @property
    def progress(self) -> int:
        """How many results are here."""
        if not self._is_complete():
            self._source.poll()
        return len(self._raw)

    def __len__(self) -> int:
        return len(self._tasks)

    def _metadata_list(self) -> list[Metadata]:
        return [self._metadata_of(position, id_) for position, id_ in enumerate(self.msg_ids)]

    def _metadata_of(self, position: int, id_: str) -> Metadata:
        fields, received = self._raw.get(position, (None, None))
        output = fold(list(self._outputs.get(position, {}).values()))
        metadata = metadata_of(
            fields,
            received,
            msg_id=id_,
            **self._given(),
            stdout=output.stdout,
            stderr=output.stderr,
            outputs=output.outputs,
            data=output.data,
            **self.known,
        )
        if fields is not None and fields[farm.RESULT_STATUS] != farm.OK:
            metadata["error"] = next(iter(errors_in(self._outcome(position))), None)
        elif fields is not None and (position in self._outcomes or farm.is_cell(fields)):
            reply = self._outcome(position)
            if type(reply) is ExecuteReply:
                metadata["execute_input"] = reply.source
                metadata["execute_result"] = reply.execute_result
        return metadata

    def _given(self) -> dict[str, Any]:
        """Metadata that is known before there is a result."""
        return {"submitted": moment(self._submitted), "label": self._label}

    def _known(self, key: str) -> Any:
        values = [row[key] for row in self._metadata_list()]
        return values[0] if self._single else values

    @property
    def metadata(self) -> Any:
        """What is known of the task, or a list of it for several tasks."""
        rows = self._metadata_list()
        return rows[0] if self._single else rows

    def __getattr__(self, name: str) -> Any:
        # Metadata are attributes, as in ipyparallel.
        if name in METADATA_KEYS:
            return self._known(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def stdout(self) -> Any:
        """What the task printed, or a list."""
        return self._known("stdout")

    @property
    def stderr(self) -> Any:
        """What the task wrote to stderr, or a list."""
        return self._known("stderr")

    @property
    def outputs(self) -> Any:
        """What the task displayed, each ``{"data", "metadata"}`` by MIME type; or a list of such lists."""
        return self._known("outputs")

    @property
    def data(self) -> Any:
        """What the task has published so far with `publish_data`, as a dict; or a list."""
        return self._known("data")

    @property
    def engine_id(self) -> Any:
        """Of the engine that ran the task, or a list."""
        return self._known("engine_id")

    @property
    def engine_uuid(self) -> Any:
        """The session of the engine that ran the task, or a list."""
        return self._known("engine_uuid")

    @property
    def status(self) -> Any:
        """ "ok", "error", "aborted" or None while it runs; or a list."""
        return self._known("status")

    @property
    def started(self) -> Any:
        """When the task started, or a list."""
        return self._known("started")

    @property
    def completed(self) -> Any:
        """When the task ended, or a list."""
        return self._known("completed")

    @property
    def submitted(self) -> Any:
        """When the task was given, or a list."""
        return self._known("submitted")

    @property
    def sent(self) -> bool:
        """Arguments were copied at the call; they may be changed."""
        return True

    def wait_for_send(self, timeout: float | None = -1) -> bool:  # noqa: ARG002  (the name is ipyparallel's)
        """Arguments were copied at the call, so there is nothing to wait for."""
        return True

    @property
    def elapsed(self) -> float:
        """Seconds from the call to the last result, or to now."""
        if self.done() and self._raw:
            return max(received for _, received in self._raw.values()) - self._submitted
        return time.time() - self._submitted

    @property
    def serial_time(self) -> float:
        """Sum of the tasks' run times in seconds.

        Raises: TimeoutError: not all results are here.
        """
        self._must_be_ready()
        return sum(run_time(fields) for fields, _ in self._raw.values())

    @property
    def wall_time(self) -> float:
        """Seconds from the call to the last result.

        Raises: TimeoutError: not all results are here.
        """
        self._must_be_ready()
        return self.elapsed

    def timedelta(self, start: Any, end: Any, start_key: Any = min, end_key: Any = max) -> float:
        """Seconds between two moments, or lists of moments, of this call."""
        first = start if isinstance(start, datetime) else start_key(start)
        last = end if isinstance(end, datetime) else end_key(end)
        return float((last - first) / timedelta(seconds=1))

    def _must_be_ready(self) -> None:
        if not self.done():
            raise TimeoutError("not all results are here yet")


def errors_in(outcome: Any) -> list[BaseException]:
    """The errors of a task, or of the items of a chunk."""
    if type(outcome) is Failure:
        return [outcome.error]
    if type(outcome) is list:
        return [item.error for item in outcome if type(item) is Failure]
    return []


def run_time(fields: Sequence[Any]) -> float:
    """Seconds that the task ran; 0 if it never did."""
    meta = fields[farm.RESULT_META]
    if len(meta) <= farm.META_COMPLETED:
        return 0.0
    return max(0.0, meta[farm.META_COMPLETED] - meta[farm.META_STARTED])
