"""Results of other tasks, as arguments of the one that runs."""

from __future__ import annotations

from typing import Any

from linden import _native, farm
from linden.kept import loaded
from linden.outcome import Failure, decode

from .functions import read_one


class ResultMissing(LookupError):
    """The result of a task is an argument, and is not in the farm."""


def load_result(space: _native.Space, message_id: str) -> Any:
    """The value of a task's result; the task that uses it has waited for it, so it is there unless somebody purged it.

    Raises: ResultMissing; the task's error, if it has ended with one.
    """
    missing = ResultMissing(f"the result of {message_id}, an argument of this task, is not in the farm; was it purged?")
    value = decode(read_one(space, farm.results_form(*farm.parse_message_id(message_id)), missing), message_id)
    if type(value) is Failure:
        raise value.error
    return loaded(value)
