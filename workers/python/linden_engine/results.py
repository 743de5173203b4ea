"""Results of other tasks, as arguments of the one that runs."""

from __future__ import annotations

from typing import Any

from linden import _native, farm
from linden.errors import NoMatch
from linden.outcome import Failure, decode

_READ_TIMEOUT_S = 10.0


class ResultMissing(LookupError):
    """The result of a task is an argument, and is not in the farm."""


def load_result(space: _native.Space, message_id: str) -> Any:
    """The value of a task's result; the task that uses it has waited for it, so it is there unless somebody purged it.

    Raises: ResultMissing; the task's error, if it has ended with one.
    """
    form = farm.results_form(*farm.parse_message_id(message_id))
    try:
        found = space.client.wait(space.send_take(_native.READ, [form], timeout=_READ_TIMEOUT_S))
    except NoMatch:
        raise ResultMissing(
            f"the result of {message_id}, an argument of this task, is not in the farm; was it purged?"
        ) from None
    value = decode(found[0].fields, message_id)
    if type(value) is Failure:
        raise value.error
    return value
