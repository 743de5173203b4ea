"""Cancelling tasks wherever they are: waiting in the farm, held by an engine, or running (F6).

What waits is reserved and finished with the result "cancelled", as `abort` does.  The engine that holds a task is told by a control
tuple; it interrupts the task, or does not begin it, and finishes it with that result.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from . import farm, housekeeping

if TYPE_CHECKING:
    from .client import Client

# A task may move while we look for it (it is recalled, run again, or its engine dies), but not for ever.
_SEARCH_S = 10.0
_POLL_S = 0.02
_PAGE = 1000


class _Held(NamedTuple):
    """A task and who has it."""

    tuple_id: int
    attempt: int
    session: str


def cancel(client: Client, jobs: Any) -> bool:
    """Cancel `jobs`: an AsyncResult, message ids, indices of the history, or a row of these; None: all that is outstanding.

    Returns: whether each of them has a result now, or its engine has been told.
    """
    housekeeping.submit_no_more(jobs)
    ids = sorted(client.outstanding) if jobs is None else housekeeping.message_ids(client, jobs)[0]
    keys = {farm.parse_message_id(id_) for id_ in ids}
    told: set[_Held] = set()
    deadline = time.monotonic() + _SEARCH_S
    while True:
        housekeeping.abort_waiting(client, keys)
        left = list(_tasks_of(client, keys))
        held = {_Held(row["id"], row["attempt"], row["holder"]): row for row in left if row["holder"]}
        # Looked at again after telling: who was told in time neither runs a task again nor gives it back.
        if len(held) == len(left) and told.issuperset(held):
            return True
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


def _tasks_of(client: Client, keys: set[tuple[str, int]]) -> Iterable[dict[str, Any]]:
    """The tasks among `keys` that have no result yet, in whatever state."""
    for session in {session for session, _ in keys}:
        numbers = sorted(number for owner, number in keys if owner == session)
        for first, last in housekeeping.runs(numbers):
            form = farm.tasks_form(session, farm.number_range(first, last))
            yield from _listed(client, form)


def _listed(client: Client, form: tuple[Any, ...]) -> Iterable[dict[str, Any]]:
    native = client.space.native
    after, more = 0, True
    while more:
        page = native.client.wait(native.send_list(form, after=after, limit=_PAGE, all_states=True))
        yield from page["tuples"]
        more = page["more"] and bool(page["tuples"])
        if more:
            after = page["tuples"][-1]["id"]


def _tell(client: Client, held: list[tuple[_Held, Any]]) -> None:
    puts = []
    for who, fields in held:
        puts += farm.cancel(who.session, fields[farm.TASK_CLIENT], fields[farm.TASK_NUMBER])
    if puts:
        native = client.space.native
        native.client.wait(native.send_put(puts))
