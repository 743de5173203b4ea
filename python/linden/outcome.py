"""What became of a task: its result tuple as a value or an error, and its metadata.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from . import farm, serialize
from .error import EngineError, TaskAborted, make_remote_error


class Failure(NamedTuple):
    """Stands in the place of a value for an error, which a task might also have returned as a value."""

    error: BaseException


def decode(fields: Sequence[Any], method: str, attempts: int = farm.DEFAULT_ATTEMPTS) -> Any:
    """The value of a result tuple, or a Failure; for a chunk of a map a list of these."""
    status = fields[farm.RESULT_STATUS]
    payload = fields[farm.RESULT_PAYLOAD]
    try:
        if status == farm.OK:
            return serialize.unpack_result(payload)
        if status == farm.ERROR:
            return _decode_error(fields, method)
    except Exception as error:  # noqa: BLE001  (unpickling runs the code of any class)
        error.add_note(f"while unpickling the result of {method}; is its type known in this process?")
        return Failure(error)
    meta = fields[farm.RESULT_META]
    if status == farm.CANCELLED and farm.engine_of(fields) is not None:
        return Failure(TaskAborted(f"{method} was cancelled on engine {meta[farm.META_ENGINE]}"))
    if status == farm.CANCELLED:
        return Failure(TaskAborted(f"{method} was aborted before it had started"))
    if status == farm.ENGINE_DIED and meta:
        return Failure(EngineError(f"engine {meta[farm.META_ENGINE]} died before it had finished {method}"))
    if status == farm.ENGINE_DIED:
        return Failure(
            EngineError(
                f"{method} was started up to {attempts} times, and each time its engine died; "
                "does it exhaust memory or call os._exit?"
            )
        )
    return Failure(EngineError(f"{method} ended with status {status!r}"))


def _decode_error(fields: Sequence[Any], method: str) -> Any:
    errors, values = farm.parse_error_payload(fields[farm.RESULT_PAYLOAD])
    meta = fields[farm.RESULT_META]
    # A task that could not run has an error, too, but no engine.
    info: dict[str, Any] = {}
    if meta and meta[farm.META_ENGINE] is not None:
        info = {"engine_id": meta[farm.META_ENGINE], "engine_uuid": meta[farm.META_SESSION], "method": method}
    if values is None:
        return _failure(errors[0], info)
    items = serialize.unpack_result(values)
    for error in errors:
        items[error.item] = _failure(error, info)
    return items


def _failure(error: farm.ItemError, info: dict[str, Any]) -> Failure:
    return Failure(make_remote_error(error.ename, error.evalue, error.traceback, dict(info), error.pickled))


# What is known of a task; texts, lists and dicts are empty where there is nothing.
METADATA_KEYS = (
    *("msg_id", "submitted", "started", "completed", "received", "engine_uuid", "engine_id", "follow", "after"),
    *("status", "execute_input", "execute_result", "error", "stdout", "stderr", "outputs", "data", "label"),
    *("is_broadcast", "is_coalescing"),
)


class Metadata(dict[str, Any]):
    """What is known of a task.  Its keys are fixed; they are attributes as well."""

    def __init__(self, **known: Any) -> None:
        super().__init__(dict.fromkeys(METADATA_KEYS))
        self.update(stdout="", stderr="", outputs=[], data={}, is_broadcast=False, is_coalescing=False)
        for key, value in known.items():
            self[key] = value

    def __reduce__(self) -> Any:
        return _metadata, (dict(self),)

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(key) from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __setitem__(self, key: str, value: Any) -> None:
        if key not in self:
            raise KeyError(f"task metadata has no {key!r}")
        super().__setitem__(key, value)


def _metadata(known: dict[str, Any]) -> Metadata:
    return Metadata(**known)


def moment(seconds: float | None) -> datetime | None:
    """Seconds since the epoch as an aware datetime; None for 0 and None."""
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def metadata_of(fields: Sequence[Any] | None, received: float | None = None, **known: Any) -> Metadata:
    """Metadata of a task from its result tuple, if it has come."""
    metadata = Metadata(**known)
    if fields is None:
        return metadata
    status = fields[farm.RESULT_STATUS]
    metadata["status"] = {farm.CANCELLED: "aborted", farm.ENGINE_DIED: "error"}.get(status, status)
    metadata["received"] = moment(received)
    meta = fields[farm.RESULT_META]
    if len(meta) > farm.META_COMPLETED:
        metadata["engine_id"] = meta[farm.META_ENGINE]
        metadata["engine_uuid"] = meta[farm.META_SESSION]
        metadata["started"] = moment(meta[farm.META_STARTED])
        metadata["completed"] = moment(meta[farm.META_COMPLETED])
    _add_record(metadata, farm.task_of(fields))
    if metadata["completed"] is None:
        metadata["completed"] = metadata["received"]
    return metadata


def _add_record(metadata: Metadata, task: Sequence[Any] | None) -> None:
    """What a result has kept of its task."""
    if task is None:
        return
    options = task[farm.TASK_OPTIONS]
    if type(options) is list:
        metadata["submitted"] = metadata["submitted"] or moment(options[farm.OPTION_SUBMITTED])
        metadata["label"] = metadata["label"] or options[farm.OPTION_LABEL]
    if task[farm.TASK_KIND] == farm.EXECUTE and task[farm.TASK_PAYLOAD] is not None:
        metadata["execute_input"] = task[farm.TASK_PAYLOAD][0]
