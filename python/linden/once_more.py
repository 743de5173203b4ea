"""Whether a task that has ended may be run once more, because its value is lost: what engines and clients ask.  Pure.

A task may be if the farm would have run it again after the death of its engine, and remembers its arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import farm


class NotRepeatable(LookupError):
    """The task of a lost value may not, or cannot, be run once more; the text says why, as the second half of a sentence."""


class RunsOnce(NotRepeatable):
    """The task may not, though it could."""


def task_to_repeat(result: Sequence[Any]) -> Sequence[Any]:
    """The fields of the task whose result that is.

    Raises: NotRepeatable.
    """
    task = farm.task_of(result)
    if task is None or not farm.has_payload(result) or type(task[farm.TASK_PAYLOAD]) is int:
        limit = farm.RECORD_PAYLOAD_BYTES_MAX >> 10
        raise NotRepeatable(
            f"its task cannot be run again, for its arguments were large; up to {limit} KiB are remembered"
        )
    if farm.retries_of(task) == 0:
        raise RunsOnce("its task must not run twice: it was given with retries=0, or by a direct view")
    return task
