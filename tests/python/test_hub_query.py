"""Queries over records: every operator, what is refused, and templates that never leave out what matches."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from linden import farm, hub_query, hub_record, serialize

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
TASK = (
    "task",
    "any",
    "c" * 32,
    7,
    "fit",
    farm.APPLY,
    "d" * 64,
    [2, NOW.timestamp(), "fit-7"],
    serialize.pack(((1,), {})),
)
META = [3, "e" * 32, NOW.timestamp() + 1, NOW.timestamp() + 3, farm.record(TASK)]
RESULT = ("result", "c" * 32, 7, farm.OK, META, 5)


def matches(query: dict[str, Any], fields: Any = RESULT) -> bool:
    return hub_query.parse(query).matches(hub_record.record_of(fields))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, True),
        ({"label": "fit-7"}, True),
        ({"label": {"$eq": "fit-8"}}, False),
        ({"label": {"$ne": "fit-8"}}, True),
        ({"label": {"$in": ["fit-7", "fit-8"]}}, True),
        ({"label": {"$nin": ["fit-7", "fit-8"]}}, False),
        ({"label": {"$glob": "fit-*"}}, True),
        ({"label": {"$glob": "FIT-*"}}, False),
        ({"label": {"$all": "fit-7"}}, None),
        ({"stdout": {"$exists": True}}, True),
        ({"error": {"$exists": False}}, True),
        ({"error": {"$exists": True}}, False),
        ({"error": None}, True),
        ({"buffers": {"$all": []}}, True),
        ({"completed": {"$gt": NOW}}, True),
        ({"completed": {"$gt": NOW + timedelta(seconds=3)}}, False),
        ({"completed": {"$gte": NOW + timedelta(seconds=3)}}, True),
        ({"completed": {"$lt": NOW + timedelta(seconds=3)}}, False),
        ({"completed": {"$lte": NOW + timedelta(seconds=3)}}, True),
        ({"completed": {"$gt": NOW, "$lt": NOW + timedelta(seconds=2)}}, False),
        ({"submitted": NOW, "label": "fit-7"}, True),
        ({"submitted": NOW, "label": "fit-8"}, False),
        ({"resubmitted": {"$gt": "a"}}, False),
    ],
)
def test_operators(query: dict[str, Any], expected: bool | None) -> None:
    if expected is None:
        with pytest.raises(TypeError, match="takes a list"):
            matches(query)
    else:
        assert matches(query) is expected


@pytest.mark.parametrize(("value", "expected"), [(7, True), (8, False), (None, False)])
def test_remainders(value: int | None, expected: bool) -> None:
    query = hub_query.parse({"label": {"$mod": [5, 2]}})
    assert query.matches({"label": value}) is expected


@pytest.mark.parametrize(("value", "expected"), [(["a", "b", "c"], True), (["a"], False), (None, False)])
def test_all_items(value: list[str] | None, expected: bool) -> None:
    query = hub_query.parse({"buffers": {"$all": ["a", "c"]}})
    assert query.matches({"buffers": value}) is expected


def test_a_moment_without_a_zone_is_a_local_one() -> None:
    local = NOW.astimezone().replace(tzinfo=None)
    assert matches({"submitted": local})
    assert matches({"submitted": {"$in": [local]}})


@pytest.mark.parametrize(
    ("query", "error", "text"),
    [
        ([], TypeError, "a query is a dict"),
        ({"msgid": "x"}, KeyError, "no key 'msgid'"),
        ({"label": {"$regex": "x"}}, ValueError, r"no operator '\$regex'"),
        ({"label": {"$glob": 5}}, TypeError, r"\$glob takes a pattern"),
        ({"label": {"$in": 5}}, TypeError, r"\$in takes a list"),
        ({"label": {"$mod": 5}}, TypeError, r"\$mod takes \[divisor, remainder\]"),
        ({"label": {"$mod": [0, 1]}}, TypeError, r"\$mod takes"),
    ],
)
def test_what_makes_no_sense_is_refused(query: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        hub_query.parse(query)


def test_records_have_the_documented_keys() -> None:
    for fields in (TASK, RESULT, ("result", "c" * 32, 7, farm.ENGINE_DIED, [], None)):
        assert set(hub_record.record_of(fields)) == set(hub_query.RECORD_KEYS)


def test_a_record_of_a_finished_task() -> None:
    record = hub_record.record_of(RESULT, stdout="out", resubmitted="other_1")
    assert record["msg_id"] == f"{'c' * 32}_7"
    assert record["submitted"] == NOW
    assert record["completed"] - record["started"] == timedelta(seconds=2)
    assert record["engine_uuid"] == "e" * 32
    assert record["client_uuid"] == "c" * 32
    assert record["queue"] == "task"
    assert record["label"] == "fit-7"
    assert record["stdout"] == "out"
    assert record["resubmitted"] == "other_1"
    assert record["result_content"] == {"status": "ok"}
    assert record["header"]["msg_id"] == record["msg_id"]
    assert record["metadata"]["retries"] == 2
    assert serialize.loads("pickle", record["buffers"]) == ((1,), {})


def test_a_record_of_a_task_that_failed() -> None:
    payload = farm.error_payload([farm.ItemError(0, "ValueError", "no", "Traceback\nValueError: no", None)], None)
    record = hub_record.record_of(("result", "c" * 32, 7, farm.ERROR, META, payload))
    assert record["error"]["ename"] == "ValueError"
    assert record["error"]["traceback"] == ["Traceback", "ValueError: no"]
    assert record["error"]["engine_info"] == {"engine_id": 3, "engine_uuid": "e" * 32, "method": "fit"}


def test_large_arguments_are_not_kept() -> None:
    large = serialize.pack(((b"x" * (farm.RECORD_PAYLOAD_BYTES_MAX + 1),), {}))
    kept = ("result", "c" * 32, 7, farm.OK, farm.never_ran((*TASK[:-1], large)), None)
    assert farm.task_of(kept) == (*TASK[:-1], None)
    assert not farm.has_payload(kept)
    assert farm.has_payload(RESULT)
    cell = ("task", "any", "c" * 32, 7, "execute", farm.EXECUTE, "", None, ["x" * farm.RECORD_PAYLOAD_BYTES_MAX, True])
    assert not farm.has_payload(("result", "c" * 32, 7, farm.OK, farm.never_ran(cell), None))


def test_waiting_tasks_are_left_out_where_none_can_match() -> None:
    assert hub_query.waiting_form(hub_query.parse({"completed": {"$gt": NOW}})) is None
    assert hub_query.waiting_form(hub_query.parse({"completed": None})) is not None
    assert hub_query.waiting_form(hub_query.parse({"completed": {"$exists": False}})) is not None
    assert hub_query.waiting_form(hub_query.parse({"client_uuid": "c"})) == farm.tasks_form("c")
