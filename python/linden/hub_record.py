"""The record of a task, under the keys of ipyparallel's hub database, from the tuples that there are of it.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import _native, farm, serialize
from .execute_reply import ExecuteReply
from .outcome import moment
from .task_queues import is_engine_queue

_PROTOCOL_VERSION = "5.3"  # of Jupyter's messages, which have the headers that records show


def message_id(fields: Sequence[Any]) -> str:
    """Of a task or a result."""
    return farm.message_id(fields[farm.TASK_CLIENT if fields[0] == "task" else farm.RESULT_CLIENT], _number(fields))


def _number(fields: Sequence[Any]) -> int:
    return int(fields[farm.TASK_NUMBER if fields[0] == "task" else farm.RESULT_NUMBER])


def submitted(fields: Sequence[Any]) -> float | None:
    """When the task was given, in seconds since 1970; None if it does not say."""
    task = fields if fields[0] == "task" else farm.task_of(fields)
    return _option(task, farm.OPTION_SUBMITTED)


def _option(task: Sequence[Any] | None, place: int) -> Any:
    options = task[farm.TASK_OPTIONS] if task is not None else None
    return options[place] if type(options) is list and len(options) > place else None


def record_of(
    fields: Sequence[Any],
    *,
    holder: str | None = None,
    resubmitted: str | None = None,
    stdout: str = "",
    stderr: str = "",
) -> dict[str, Any]:
    """The record of the task with this task or result tuple.

    `holder`: session of the engine that has the task now.
    """
    finished = fields[0] == "result"
    task = farm.task_of(fields) if finished else farm.unconditional(fields)
    record: dict[str, Any] = {"msg_id": message_id(fields)} | _of_task(task, fields)
    record |= _of_result(fields) if finished else _without_result(holder)
    record |= {"resubmitted": resubmitted, "stdout": stdout, "stderr": stderr}
    return record


def _of_task(task: Sequence[Any] | None, fields: Sequence[Any]) -> dict[str, Any]:
    client = fields[farm.TASK_CLIENT if fields[0] == "task" else farm.RESULT_CLIENT]
    when = moment(_option(task, farm.OPTION_SUBMITTED))
    kind = task[farm.TASK_KIND] if task is not None else None
    payload = task[farm.TASK_PAYLOAD] if task is not None else None
    code = payload[0] if kind == farm.EXECUTE and payload else None
    queue = task[farm.TASK_QUEUE] if task is not None else None
    label = _option(task, farm.OPTION_LABEL)
    return {
        "header": _header(farm.message_id(client, _number(fields)), client, when, f"{kind}_request"),
        "metadata": {
            "name": task[farm.TASK_NAME] if task is not None else None,
            "kind": kind,
            "function": task[farm.TASK_FUNCTION] if task is not None else None,
            "retries": _option(task, farm.OPTION_RETRIES),
            "target": queue,
            "label": label,
        },
        "content": {"code": code, "silent": payload[1]} if code is not None and payload else {},
        "buffers": _buffers(payload),
        "submitted": when,
        "client_uuid": client,
        "queue": None if queue is None else "mux" if is_engine_queue(queue) else "task",
        "execute_input": code,
        "label": label,
    }


def _header(id_: str, session: str | None, date: Any, kind: str) -> dict[str, Any]:
    return {
        "msg_id": id_,
        "msg_type": kind,
        "session": session,
        "username": "",
        "date": date,
        "version": _PROTOCOL_VERSION,
    }


def _buffers(payload: Any) -> list[bytes]:
    return [bytes(part) for part in payload.parts] if type(payload) is _native.Object else []


def _without_result(holder: str | None) -> dict[str, Any]:
    return {
        "engine_uuid": holder,
        "started": None,
        "completed": None,
        "received": None,
        "result_header": None,
        "result_metadata": None,
        "result_content": None,
        "result_buffers": [],
        "execute_result": None,
        "error": None,
    }


def _of_result(fields: Sequence[Any]) -> dict[str, Any]:
    meta = fields[farm.RESULT_META]
    has_run = len(meta) > farm.META_COMPLETED
    engine, session = (meta[farm.META_ENGINE], meta[farm.META_SESSION]) if has_run else (None, None)
    started, completed = (meta[farm.META_STARTED], meta[farm.META_COMPLETED]) if has_run else (None, None)
    status = STATUS_NAMES.get(fields[farm.RESULT_STATUS], fields[farm.RESULT_STATUS])
    content = _content(fields, status, engine, session)
    reply = _reply(fields)
    return {
        "engine_uuid": session,
        "started": moment(started),
        "completed": moment(completed),
        "received": moment(completed),
        "result_header": _header(message_id(fields), session, moment(completed), "reply") | {"status": status},
        "result_metadata": {"status": status, "engine": session, "engine_id": engine, "started": moment(started)}
        | ({"kept": True} if _is_kept(fields) else {}),
        "result_content": content,
        "result_buffers": _buffers(fields[farm.RESULT_PAYLOAD]),
        "execute_result": reply.execute_result if reply is not None else None,
        "error": content if status == "error" else None,
    }


def _is_kept(fields: Sequence[Any]) -> bool:
    """Whether the result only stands for a value, which is on the engine."""
    task = farm.task_of(fields)
    return task is not None and farm.is_kept(task)


# What ipyparallel calls a result's status.
STATUS_NAMES = {farm.CANCELLED: "aborted", farm.ENGINE_DIED: "error", farm.EXPIRED: "error"}


def _content(fields: Sequence[Any], status: str, engine: int | None, session: str | None) -> dict[str, Any]:
    if status != "error":
        return {"status": status}
    task = farm.task_of(fields)
    info = {"engine_id": engine, "engine_uuid": session, "method": task[farm.TASK_NAME] if task else None}
    content = {"status": "error", "ename": "EngineError", "evalue": fields[farm.RESULT_STATUS], "traceback": []}
    if fields[farm.RESULT_STATUS] == farm.ERROR:
        first = farm.parse_error_payload(fields[farm.RESULT_PAYLOAD])[0][0]
        content |= {"ename": first.ename, "evalue": first.evalue, "traceback": first.traceback.splitlines()}
    return content | {"engine_info": info}


def _reply(fields: Sequence[Any]) -> ExecuteReply | None:
    """What a cell replied; nothing else is unpickled for a record."""
    task = farm.task_of(fields)
    if task is None or task[farm.TASK_KIND] != farm.EXECUTE or fields[farm.RESULT_STATUS] != farm.OK:
        return None
    try:
        reply = serialize.unpack_result(fields[farm.RESULT_PAYLOAD])
    except Exception:  # noqa: BLE001  (unpickling runs the code of any class; a record tells what it can)
        return None
    return reply if isinstance(reply, ExecuteReply) else None
