"""BroadcastView over a farm in memory: one request, the order of targets, errors in their place, arguments that are shared."""

from typing import Any

import pytest
from fake_native import FakeFarm
from linden import farm, serialize
from linden.broadcast_view import BroadcastView
from linden.direct_view import DirectView
from linden.error import EngineError


@pytest.fixture
def fake() -> FakeFarm:
    return FakeFarm(engines=3)


@pytest.fixture
def view(fake: FakeFarm) -> BroadcastView:
    return BroadcastView(fake)  # type: ignore[arg-type]


def answer(x: Any = 42) -> Any:
    return x


def length(x: bytes) -> int:
    return len(x)


@pytest.mark.parametrize("is_coalescing", [False, True])
def test_values_come_in_the_order_of_targets_whoever_is_first(fake: FakeFarm, is_coalescing: bool) -> None:
    view = BroadcastView(fake, [2, 0, 1], is_coalescing)  # type: ignore[arg-type]
    result = view.apply_async(answer)
    assert [task[farm.TASK_QUEUE] for task in fake.tasks] == ["engine:2", "engine:0", "engine:1"]
    for number, value in ((3, "c"), (1, "a"), (2, "b")):
        fake.deliver(number, farm.OK, serialize.pack_result(value))
    assert result.get(1) == ["a", "b", "c"]


def test_a_call_is_one_request(view: BroadcastView, fake: FakeFarm) -> None:
    view.apply_async(answer)
    fake.put_sizes.clear()
    view.apply_async(answer)
    view.execute("x = 1", block=False)
    view.push({"y": 2}, block=False)
    assert fake.put_sizes == [3, 3, 3]


def test_a_lost_engine_is_one_error_in_its_place(view: BroadcastView, fake: FakeFarm) -> None:
    result = view.apply_async(answer)
    fake.deliver(1, farm.OK, 1)
    fake.deliver(3, farm.OK, 3)
    fake.arrive(farm.result(fake.session, 2, farm.ENGINE_DIED, [1, "e" * 32, 0.0, 0.0], None))
    fake.tasks.clear()
    values = result.get(1, return_exceptions=True)
    assert (values[0], values[2]) == (1, 3)
    assert isinstance(values[1], EngineError)
    with pytest.raises(EngineError, match="engine 1 died"):
        result.get()


def test_a_map_has_one_task_per_engine(view: BroadcastView, fake: FakeFarm) -> None:
    result = view.map_async(answer, range(7), label="m")
    assert len(fake.tasks) == 3
    assert result.get(1) == list(range(7))


def test_labels_and_the_kind_of_view_are_in_the_metadata(fake: FakeFarm) -> None:
    view = BroadcastView(fake, is_coalescing=True)  # type: ignore[arg-type]
    results = [
        view.set_flags(label="of the view").apply_async(answer),
        view.map_async(answer, range(3), label="map"),
        view.execute("x = 1", label="cell", block=False),
    ]
    assert [result.metadata[0]["label"] for result in results] == ["of the view", "map", "cell"]
    assert all(row["is_broadcast"] and row["is_coalescing"] for result in results for row in result.metadata)
    assert not DirectView(fake, 0).apply_async(answer).metadata["is_broadcast"]


def test_targets_are_those_of_the_time_when_it_was_made(view: BroadcastView, fake: FakeFarm) -> None:
    fake._engines = [*fake._engines, farm.Engine(3, "3" * 32, {})]
    assert view.targets == [0, 1, 2]
    assert view.apply_sync(answer) == [42] * 3
    assert DirectView(fake, "all").apply_sync(answer) == [42] * 4


def test_odd_flags_are_refused(fake: FakeFarm, view: BroadcastView) -> None:
    with pytest.raises(TypeError, match="is_coalescing must be True or False, not 1"):
        view.set_flags(is_coalescing=1)
    with pytest.raises(KeyError, match="no flag 'coalesce'"):
        view.set_flags(coalesce=True)


# ---- arguments that are large


def test_large_arguments_are_put_once_and_removed_with_the_last_result(view: BroadcastView, fake: FakeFarm) -> None:
    large = b"x" * 300_000
    result = view.apply_async(length, large)
    assert [task[farm.TASK_PAYLOAD] for task in fake.tasks] == [1, 1, 1]
    assert [fields[:3] for fields in fake.payloads.values()] == [("payload", fake.session, 1)]
    fake.run_next()
    fake.run_next()
    assert not result.ready()
    assert fake.payloads
    assert result.get(1) == [300_000] * 3
    assert not fake.payloads


def test_small_arguments_and_those_of_one_engine_travel_with_the_task(view: BroadcastView, fake: FakeFarm) -> None:
    view.apply_async(length, b"x" * 1000)
    DirectView(fake, 0).apply_async(length, b"x" * 1_000_000)
    assert not fake.payloads
    assert all(type(task[farm.TASK_PAYLOAD]) is not int for task in fake.tasks)


def test_large_arguments_that_the_space_refuses_leave_nothing(view: BroadcastView, fake: FakeFarm) -> None:
    fake.refuse = lambda fields: fields[0] == "payload"
    with pytest.raises(ValueError, match="refused"):
        view.push({"a": b"x" * 300_000}, block=False)
    assert not fake.tasks
    assert fake.reader.outstanding() == []
