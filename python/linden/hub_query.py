"""Queries over the records of tasks: operators, and what of a query the space itself can answer.  Pure.

A query is a dict of record keys; each must equal its value, or fulfil a dict of operators: ``{"engine_uuid": uuid,
"completed": {"$gt": yesterday}, "label": {"$glob": "fit-*"}}``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from . import farm
from .fields import ANY, Between

# What a record has, in the order in which it is shown.  The names are those of ipyparallel's hub database.
RECORD_KEYS = (
    *("msg_id", "header", "metadata", "content", "buffers", "submitted", "client_uuid", "engine_uuid", "started"),
    *("completed", "resubmitted", "received", "result_header", "result_metadata", "result_content", "result_buffers"),
    *("queue", "execute_input", "execute_result", "error", "stdout", "stderr", "label"),
)
BUFFER_KEYS = ("buffers", "result_buffers")
TIME_KEYS = ("submitted", "started", "completed", "received")
_NOT_OF_NONE = ("$eq", "$gt", "$gte", "$lt", "$lte")
_END_OF_TIME = float("inf")

Test = Callable[[Any], bool]


def _compare(compare: Callable[[Any, Any], bool]) -> Callable[[Any], Test]:
    return lambda wanted: lambda found: found is not None and bool(compare(found, wanted))


def _one_of(wanted: Any) -> Test:
    return lambda found: found in wanted


def _all_of(wanted: Any) -> Test:
    return lambda found: found is not None and all(item in found for item in wanted)


def _remainder(wanted: Any) -> Test:
    divisor, remainder = wanted
    return lambda found: found is not None and found % divisor == remainder


_OPERATORS: dict[str, Callable[[Any], Test]] = {
    "$in": _one_of,
    "$nin": lambda wanted: lambda found: found not in wanted,
    "$eq": lambda wanted: lambda found: bool(found == wanted),
    "$ne": lambda wanted: lambda found: bool(found != wanted),
    "$gt": _compare(operator.gt),
    "$gte": _compare(operator.ge),
    "$lt": _compare(operator.lt),
    "$lte": _compare(operator.le),
    "$glob": lambda wanted: lambda found: isinstance(found, str) and fnmatchcase(found, wanted),
    "$all": _all_of,
    "$mod": _remainder,
    "$exists": lambda wanted: lambda found: (found is not None) == bool(wanted),
}


class Query(NamedTuple):
    """A query that was found to make sense."""

    conditions: dict[str, dict[str, Any]]  # by record key: operators with what they compare to
    tests: dict[str, list[Test]]

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether the record fulfils all conditions.

        Raises: TypeError: a condition compares what cannot be compared.
        """
        return all(test(record[key]) for key, tests in self.tests.items() for test in tests)


def parse(query: Mapping[str, Any]) -> Query:
    """The query, checked.

    Raises: TypeError: no dict, or an operator's value is of a wrong type. KeyError: records have no such key.
        ValueError: no such operator.
    """
    if not isinstance(query, Mapping):
        raise TypeError(f"a query is a dict such as {{'label': 'fit'}}, not {query!r}")
    conditions: dict[str, dict[str, Any]] = {}
    for key, wanted in query.items():
        check_keys([key])
        operators = wanted if _is_operators(wanted) else {"$eq": wanted}
        conditions[key] = {name: _checked(key, name, value) for name, value in operators.items()}
    tests = {key: [_OPERATORS[name](value) for name, value in each.items()] for key, each in conditions.items()}
    return Query(conditions, tests)


def check_keys(keys: Any) -> None:
    """Refuse what no record has.

    Raises: KeyError.
    """
    for key in keys:
        if key not in RECORD_KEYS:
            raise KeyError(f"records of tasks have no key {key!r}; they have {', '.join(RECORD_KEYS)}")


def _is_operators(wanted: Any) -> bool:
    return isinstance(wanted, Mapping) and bool(wanted) and all(str(name).startswith("$") for name in wanted)


def _checked(key: str, name: str, value: Any) -> Any:
    if name not in _OPERATORS:
        raise ValueError(f"query of {key!r}: no operator {name!r}; there are {', '.join(_OPERATORS)}")
    if name in ("$in", "$nin", "$all") and (isinstance(value, str) or not hasattr(value, "__contains__")):
        raise TypeError(f"query of {key!r}: {name} takes a list, not {value!r}")
    if name == "$glob" and not isinstance(value, str):
        raise TypeError(f"query of {key!r}: $glob takes a pattern such as 'fit-*', not {value!r}")
    if name == "$mod" and not (isinstance(value, (list, tuple)) and len(value) == 2 and value[0]):
        raise TypeError(f"query of {key!r}: $mod takes [divisor, remainder], not {value!r}")
    if key in TIME_KEYS:
        value = _aware(value)
    return value


def _aware(value: Any) -> Any:
    """Moments without a time zone are local ones."""
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.astimezone()
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_aware(item) for item in value]
    return value


# ---- what the space can answer -------------------------------------------------------------------------------------


def named_tasks(query: Query) -> list[str] | None:
    """The message ids, if the query names them."""
    wanted = query.conditions.get("msg_id", {})
    if "$eq" in wanted:
        return [wanted["$eq"]]
    return list(dict.fromkeys(wanted["$in"])) if "$in" in wanted else None


def finished_forms(query: Query) -> list[tuple[Any, ...]]:
    """Templates of results, one of which each matching task with a result has."""
    client = _equal(query, "client_uuid")
    meta = [ANY, _equal(query, "engine_uuid"), _between(query, "started"), _between(query, "completed")]
    if all(item is ANY for item in meta):
        return [farm.results_form(client)]
    # With and without a record of the task: engines in C++ and tasks that ended with their engine leave none.
    return [("result", client, ANY, ANY, each, ANY) for each in ([*meta, ANY], meta)]


def waiting_form(query: Query) -> tuple[Any, ...] | None:
    """A template of tasks that all matching tasks without a result have; None: no such task can match."""
    for key in ("started", "completed", "received"):
        if any(name in _NOT_OF_NONE and value is not None for name, value in _of(query, key)):
            return None
    return farm.tasks_form(_equal(query, "client_uuid"))


def _of(query: Query, key: str) -> list[tuple[str, Any]]:
    return list(query.conditions.get(key, {}).items())


def _equal(query: Query, key: str) -> Any:
    wanted = query.conditions.get(key, {}).get("$eq")
    return wanted if isinstance(wanted, str) else ANY


def _between(query: Query, key: str) -> Any:
    """A range that holds all moments which the comparisons allow; the exact test comes later."""
    low, high = 0.0, _END_OF_TIME
    for name, value in _of(query, key):
        if isinstance(value, datetime) and name in ("$gt", "$gte", "$eq"):
            low = max(low, value.timestamp() - 1e-3)
        if isinstance(value, datetime) and name in ("$lt", "$lte", "$eq"):
            high = min(high, value.timestamp() + 1e-3)
    return ANY if (low, high) == (0.0, _END_OF_TIME) else Between(low, high)
