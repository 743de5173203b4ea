"""Results of other tasks, as arguments of the one that runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from linden import _native, farm, serialize
from linden.data import DataLost
from linden.kept import loaded
from linden.once_more import NotRepeatable, task_to_repeat
from linden.outcome import Failure, decode

from .functions import read_one
from .run_task import LoadFunction, map_columns

Key = tuple[str, int]
_REPEATABLE = (farm.APPLY, farm.MAP)


class ResultMissing(LookupError):
    """The result of a task is an argument, and is not in the farm."""


class Results:
    """Loads the results that are arguments; where large data are lost, the task that has made them is run once more, here and now."""

    def __init__(self, space: _native.Space, load_function: LoadFunction) -> None:
        self._space = space
        self._load_function = load_function
        self._made_again: tuple[Key, Any] | None = None  # the last, for other tasks of the same map

    def load(self, message_id: str) -> Any:
        """The value of a task's result; the task that uses it has waited for it, so it is there unless somebody purged it.

        Raises: ResultMissing; DataLost; the task's error, if it has ended with one.
        """
        missing = ResultMissing(
            f"the result of {message_id}, an argument of this task, is not in the farm; was it purged?"
        )
        key = farm.parse_message_id(message_id)
        if self._made_again is not None and self._made_again[0] == key:
            return self._made_again[1]
        fields = read_one(self._space, farm.results_form(*key), missing)
        value = decode(fields, message_id)
        if type(value) is Failure:
            if type(value.error) is not DataLost:
                raise value.error
            value = self._once_more(fields, value.error)
            self._made_again = key, value
        return loaded(value)

    def _once_more(self, fields: Sequence[Any], lost: DataLost) -> Any:
        try:
            task = task_to_repeat(fields)
            if task[farm.TASK_KIND] not in _REPEATABLE:
                raise NotRepeatable(f"its task is of kind {task[farm.TASK_KIND]!r}")
        except NotRepeatable as why:
            raise DataLost(f"{lost}; it is not made again: {why}") from None
        value, errors = run_once_more(task, self._load_function)
        if errors:
            raise DataLost(f"{lost}; its task was run again, and raised {errors[0].ename}: {errors[0].evalue}")
        return value


def run_once_more(task: Sequence[Any], load_function: Callable[[str], Any]) -> tuple[Any, list[farm.ItemError]]:
    """What the task, of kind apply or map, returns; of a part of a map all items, None for those that raise, and what these raised.

    Raises: whatever the task does.
    """
    function = load_function(task[farm.TASK_FUNCTION])
    arguments = serialize.unpack(task[farm.TASK_PAYLOAD])
    if task[farm.TASK_KIND] == farm.MAP:
        return map_columns(function, arguments)
    args, kwargs = arguments
    return function(*args, **kwargs), []
