"""Giving tasks once more, of this client or any other, from what the farm keeps of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import _native, farm, hub, hub_record
from .async_result import AsyncResult
from .error import EngineError
from .errors import NoMatch
from .task_queues import ANY_QUEUE, NATIVE_QUEUE, engine_queue, is_engine_queue

if TYPE_CHECKING:
    from .client import Client
    from .data import Held

# Kinds of tasks that mean the same on every engine.
_ANYWHERE = (farm.APPLY, farm.MAP, farm.EXECUTE)


def resubmit(client: Client, ids: Sequence[str], *, single: bool) -> AsyncResult:
    """Client.resubmit."""
    rows = {hub_record.message_id(row.fields): row for row in hub.find(client, ids)}
    tasks = [_with_payload(client, _task(id_, rows.get(id_))) for id_ in ids]
    return give_once_more(client, ids, tasks, single=single)


def give_once_more(
    client: Client, ids: Sequence[str], tasks: Sequence[Sequence[Any]], *, single: bool, remember: bool = True
) -> AsyncResult:
    """Put these `tasks`, whose message ids are `ids`, as new ones of this client; `remember` them as what the user has submitted."""
    places = [_place(client, task) for task in tasks]
    submitter = client.submitter
    numbers = submitter.take_numbers(len(tasks), [], remember=remember)
    result = AsyncResult(
        client,
        client.reader,
        numbers,
        tasks[0][farm.TASK_NAME] if len(tasks) == 1 else "resubmit",
        single=single,
        session=submitter.session,
    )
    client.reader.expect(numbers, result)
    again = zip(tasks, places, numbers, strict=True)
    puts = [_again(client, task, place, number, result) for task, place, number in again]
    puts += [
        farm.resubmitted(*farm.parse_message_id(id_), farm.message_id(client.session, number))
        for id_, number in zip(ids, numbers, strict=True)
    ]
    # Of tasks that wait or run still, whose own claim ends with them.
    data = submitter.data
    held: list[Held] = []
    keys = [(client.session, number) for number in numbers]
    uses = [
        use
        for task, key in zip(tasks, keys, strict=True)
        for use in data.claim_payload(*key, task[farm.TASK_PAYLOAD], held)
    ]
    submitter.send([*uses, *puts], result)
    if uses:
        result.when_done(lambda _: data.release(keys, held))
    client.reader.nudge()
    return result


def _task(id_: str, row: hub.Row | None) -> Sequence[Any]:
    if row is None:
        raise KeyError(f"no task or result {id_!r} in the farm; was it purged?")
    if row.fields[0] == "task":
        if row.fields[farm.TASK_KIND] == farm.CONDITIONAL:
            raise ValueError(f"{id_!r} still waits for other tasks; resubmit it when it has ended, or abort it first")
        return row.fields
    task = farm.task_of(row.fields)
    if task is None:
        raise ValueError(f"the farm keeps nothing of {id_!r} but its result; call its function again")
    if not farm.has_payload(row.fields) or type(task[farm.TASK_PAYLOAD]) is int:
        raise ValueError(
            f"the arguments of {id_!r} are not in the farm any more, which keeps up to "
            f"{farm.RECORD_PAYLOAD_BYTES_MAX >> 10} KiB of a finished task; call its function again"
        )
    return task


def _with_payload(client: Client, task: Sequence[Any]) -> Sequence[Any]:
    """A task that waits or runs may share its payload with others; the one that is put again carries it."""
    number = task[farm.TASK_PAYLOAD]
    if type(number) is not int:
        return task
    native = client.space.native
    form = farm.shared_payload_form(task[farm.TASK_CLIENT], number)
    try:
        found = native.client.wait(native.send_take(_native.READ, [form], timeout=0.0))
    except NoMatch:
        id_ = farm.message_id(task[farm.TASK_CLIENT], task[farm.TASK_NUMBER])
        raise ValueError(f"the arguments of {id_!r} are not in the farm any more; call its function again") from None
    return (*task[: farm.TASK_PAYLOAD], found[0].fields[3])


def _place(client: Client, task: Sequence[Any]) -> tuple[str, farm.Engine | None]:
    """The queue, and the engine if it is the queue of one: the same as before if that engine still serves."""
    queue = task[farm.TASK_QUEUE]
    serving = {engine_queue(engine.id): engine for engine in client.engines()}
    if queue in serving:
        return queue, serving[queue]
    if not is_engine_queue(queue):
        return queue, None
    if task[farm.TASK_KIND] in farm.CALLS:
        return (ANY_QUEUE if ":" in task[farm.TASK_FUNCTION] else NATIVE_QUEUE), None
    if task[farm.TASK_KIND] not in _ANYWHERE:
        raise EngineError(f"{task[farm.TASK_NAME]} was for {queue!r} alone, and that engine has gone")
    return ANY_QUEUE, None


def _again(
    client: Client, task: Sequence[Any], place: tuple[str, farm.Engine | None], number: int, result: AsyncResult
) -> _native.Put:
    queue, engine = place
    options = task[farm.TASK_OPTIONS]
    return farm.task(
        queue,
        client.session,
        number,
        task[farm.TASK_NAME],
        task[farm.TASK_KIND],
        task[farm.TASK_FUNCTION],
        task[farm.TASK_PAYLOAD],
        retries=farm.retries_of(task),
        engine=engine,
        submitted=result._submitted,
        label=options[farm.OPTION_LABEL] if type(options) is list else None,
    )
