"""Cancelling tasks wherever they are: waiting in the farm, held by an engine, or running (F6).

What waits is reserved and finished with the result "cancelled", as `abort` does.  The engine that holds a task is told by a control
tuple; it interrupts the task, or does not begin it, and finishes it with that result.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from . import farm, housekeeping
from .fields import number_range
from .listing import listed

if TYPE_CHECKING:
    from .client import Client

# By then an engine has heard of it and, unless the task goes on in spite of it, put the result.
_HEARD_S = 0.5
# A task may move while we look for it (it is recalled, run again, or its engine dies), but not for ever.
_SEARCH_S = 10.0
_POLL_S = 0.02


class _Held(NamedTuple):
    """A task and who has it."""

    tuple_id: int
    attempt: int
    session: str


def cancel(client: Client, jobs: Any, ended: int | None = None) -> bool:
    """Cancel `jobs`: an AsyncResult, message ids, indices of the history, or a row of these; None: all that is outstanding.

    Args: ended: how many of them have come to another end before, as far as the caller knows; None: as the farm knows now.
    Returns: whether each of them that had no result is aborted, or is going to be.
    """
    housekeeping.submit_no_more(jobs)
    ids = sorted(client.outstanding) if jobs is None else housekeeping.message_ids(client, jobs)[0]
    keys = {farm.parse_message_id(id_) for id_ in ids}
    told: set[_Held] = set()
    before = _ended_otherwise(client, keys) if ended is None else ended
    deadline = time.monotonic() + _SEARCH_S
    while True:
        housekeeping.abort_waiting(client, keys)
        left = list(_tasks_of(client, keys))
        held = {_Held(row["id"], row["attempt"], row["holder"]): row for row in left if row["holder"]}
        # Looked at again after telling: who was told in time neither runs a task again nor gives it back.
        if len(held) == len(left) and told.issuperset(held):
            return _ended_otherwise(client, keys, _HEARD_S) <= before
        if time.monotonic() > deadline:
            return False
        _tell(client, [(who, row["fields"]) for who, row in held.items() if who not in told])
        # What has not started is asked back, so that it need not wait for what runs before it.
        ahead = {_key_of(row) for who, row in held.items() if row["state"] == "reserved" and who not in told}
        housekeeping.recall_waiting(client, ahead)
        told.update(held)
        if len(held) < len(left):
            time.sleep(_POLL_S)


def _key_of(row: dict[str, Any]) -> tuple[str, int]:
    return row["fields"][farm.TASK_CLIENT], row["fields"][farm.TASK_NUMBER]


def _ended_otherwise(client: Client, keys: set[tuple[str, int]], seconds: float = 0.0) -> int:
    """How many of these tasks have another result than that they were cancelled, once all have one or `seconds` are over."""
    native = client.space.native
    deadline = time.monotonic() + seconds
    while True:
        # All asked at once, the cancelled ones last: when there is a result of each, the difference is exact.
        every = [native.send_count(farm.results_form(*of_some)) for of_some in _ranges(keys)]
        cancelled = [native.send_count(farm.results_form(*of_some, farm.CANCELLED)) for of_some in _ranges(keys)]
        results = sum(native.client.wait(request) for request in every)
        otherwise = results - sum(native.client.wait(request) for request in cancelled)
        if results >= len(keys) or time.monotonic() >= deadline:
            return max(0, otherwise)
        time.sleep(_POLL_S)


def _tasks_of(client: Client, keys: set[tuple[str, int]]) -> Iterable[dict[str, Any]]:
    """The tasks among `keys` that have no result yet, in whatever state."""
    for of_some in _ranges(keys):
        yield from listed(client.space.native, farm.tasks_form(*of_some))


def _ranges(keys: set[tuple[str, int]]) -> Iterable[tuple[str, Any]]:
    """The tasks as (client, number or range of numbers)."""
    for session, first, last in housekeeping.ranges(keys):
        yield session, number_range(first, last)


def _tell(client: Client, held: list[tuple[_Held, Any]]) -> None:
    puts = []
    for who, fields in held:
        puts += farm.cancel(who.session, fields[farm.TASK_CLIENT], fields[farm.TASK_NUMBER])
    if puts:
        native = client.space.native
        native.client.wait(native.send_put(puts))
