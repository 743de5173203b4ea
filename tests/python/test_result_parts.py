"""AsyncResults in parts, together, and in coroutines: over a farm in memory, so that order and moments are the test's."""

import asyncio
import threading
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION
from typing import Any

import pytest
from fake_native import FakeFarm
from in_memory import direct as direct
from in_memory import double, reciprocal
from in_memory import fake as fake
from in_memory import view as view
from linden import farm
from linden.async_result import AsyncResult
from linden.direct_view import DirectView
from linden.error import CompositeError, EngineError
from linden.load_balanced_view import LoadBalancedView

# ---- split and join


def test_split_gives_a_value_for_each_engine(direct: DirectView) -> None:
    whole = direct.apply_async(double, 4)
    parts = whole.split()
    assert [part.get(1) for part in parts] == [8, 8]
    assert [part.msg_id for part in parts] == whole.msg_ids
    assert [type(part.metadata).__name__ for part in parts] == ["Metadata", "Metadata"]
    assert whole.split() == parts


def test_split_of_a_single_task_is_itself(view: LoadBalancedView) -> None:
    result = view.apply_async(double, 4)
    assert result.split() == (result,)


def test_split_of_a_map_gives_lists_of_a_chunk(view: LoadBalancedView) -> None:
    result = view.map_async(double, range(5), chunksize=2)
    assert [part.get(1) for part in result.split()] == [[[0, 2]], [[4, 6]], [[8]]]
    assert [part.get(1) for part in view.map_async(double, range(2)).split()] == [[[0]], [[2]]]
    assert all(len(part) == 1 for part in result.split())


def test_a_part_is_ready_before_the_whole(direct: DirectView, fake: FakeFarm) -> None:
    whole = direct.apply_async(double, 4)
    held = fake.hold()
    first, second = whole.split()
    told: list[Any] = []
    second.add_done_callback(told.append)
    fake.deliver(2, farm.OK, 8)
    assert second.get(1) == 8
    assert told == [second]
    assert not first.done()
    assert not whole.done()
    fake.tasks.append(held[0])
    assert whole.get(1) == [8, 8]
    assert first.done()


def test_a_callback_of_a_part_may_wait_for_another_part(direct: DirectView, fake: FakeFarm) -> None:
    whole = direct.apply_async(double, 4)
    held = fake.hold()
    first, second = whole.split()
    values: list[int] = []
    first.add_done_callback(lambda part: values.append(part.result() + second.get(1)))
    fake.tasks.extend(held)
    assert whole.get(1) == [8, 8]
    assert values == [16]
    assert fake.reader.outstanding() == []


def test_parts_of_what_fails(direct: DirectView, view: LoadBalancedView, fake: FakeFarm) -> None:
    for part in direct.apply_async(reciprocal, 0).split():
        with pytest.raises(ZeroDivisionError):
            part.get(1)
    good, bad = view.map_async(reciprocal, [1, 2, 0, 4], chunksize=2).split()
    assert good.get(1) == [[1.0, 0.5]]
    with pytest.raises(ZeroDivisionError):
        bad.get(1)
    fake.refuse = lambda fields: fields[0] == "task"
    for part in direct.apply_async(double, 1).split():
        with pytest.raises(Exception, match="refused"):
            part.get(1)


def test_split_of_a_map_that_grows(view: LoadBalancedView) -> None:
    result = view.map_async(double, range(1000), chunksize="auto")
    some = result.split()
    result.get(5)
    parts = result.split()
    assert parts[: len(some)] == some
    assert [x for part in parts for x in part.get(1)[0]] == [2 * x for x in range(1000)]


def test_join_is_the_inverse_of_split(direct: DirectView) -> None:
    whole = direct.apply_async(double, 4)
    joined = AsyncResult.join(*whole.split())
    assert joined.get(1) == [8, 8]
    assert joined.msg_ids == whole.msg_ids
    assert joined.engine_id == [0, 1]
    assert list(joined) == [8, 8]
    assert AsyncResult.join(whole) is whole


def test_join_of_calls_of_all_kinds(direct: DirectView, view: LoadBalancedView) -> None:
    joined = AsyncResult.join(
        view.apply_async(double, 1), direct.apply_async(double, 2), view.map_async(double, [3, 4, 5], chunksize=2)
    )
    assert len(joined) == 6
    assert joined.get(1) == [2, 4, 4, 6, 8, 10]
    assert joined.progress == 6
    assert joined.successful()
    assert joined.serial_time > 0
    assert len(joined.metadata) == 5


def test_join_of_what_fails(view: LoadBalancedView) -> None:
    joined = AsyncResult.join(view.apply_async(reciprocal, 0), view.apply_async(double, 1), view.apply_async(len, 5))
    with pytest.raises(CompositeError):
        joined.get(1)
    assert [type(value).__name__ for value in joined.get(1, return_exceptions=True)][1] == "int"
    assert not joined.successful()
    with pytest.raises(ValueError, match="at least one"):
        AsyncResult.join()
    with pytest.raises(TypeError, match="takes AsyncResults"):
        AsyncResult.join(1)  # type: ignore[arg-type]


# ---- return_when


def test_wait_tells_done_from_pending(direct: DirectView, fake: FakeFarm) -> None:
    result = direct.apply_async(double, 1)
    fake.hold()
    first, second = result.split()
    fake.deliver(1, farm.OK, 2)
    assert result.wait(5, return_when=FIRST_COMPLETED) == ({first}, {second})
    assert result.wait(0, return_when=ALL_COMPLETED) == ({first}, {second})
    fake.deliver(2, farm.OK, 2)
    assert result.wait(5, return_when=ALL_COMPLETED) == ({first, second}, set())


def test_wait_ends_at_the_first_exception(view: LoadBalancedView, fake: FakeFarm) -> None:
    result = view.map_async(reciprocal, [1, 0, 2])
    fake.tasks.pop()
    done, pending = result.wait(5, return_when=FIRST_EXCEPTION)
    assert (len(done), len(pending)) == (2, 1)
    with pytest.raises(ZeroDivisionError):
        result.get(5, return_when=FIRST_EXCEPTION)


def test_return_when_is_one_of_three(view: LoadBalancedView) -> None:
    result = view.apply_async(double, 1)
    assert result.wait(5, return_when=FIRST_COMPLETED) == ({result}, set())
    with pytest.raises(ValueError, match="return_when must be"):
        result.wait(1, return_when="SOMETIMES")
    with pytest.raises(ValueError, match=r"wait\(return_when=FIRST_COMPLETED\)"):
        result.get(1, return_when=FIRST_COMPLETED)


# ---- dicts and places


def test_values_by_engine(direct: DirectView, view: LoadBalancedView) -> None:
    assert direct.apply_async(double, 3).get_dict(1) == {0: 6, 1: 6}
    assert view.apply_async(double, 3).get_dict(1) == {0: 6}
    assert view.apply_async(double, 3).result_dict == {0: 6}
    assert view.map_async(double, [1, 2, 3], chunksize=3).get_dict(1) == {0: [2, 4, 6]}
    with pytest.raises(ValueError, match="more than one of the tasks"):
        view.map_async(double, [1, 2, 3]).get_dict(1)


def test_places_keys_and_attributes(direct: DirectView, view: LoadBalancedView) -> None:
    result = direct.apply_async(double, 3)
    assert result["status"] == [None, None]  # metadata never wait
    with pytest.raises(TimeoutError):
        view.map_async(double, [1])[0]
    result.wait(1)
    assert (result[0], result[-1], result[0:2]) == (6, 6, [6, 6])
    assert result["engine_id"] == result.engine_id == [0, 1]
    assert result.label == [None, None]
    with pytest.raises(KeyError, match="colour"):
        result["colour"]
    with pytest.raises(AttributeError, match="colour"):
        result.colour  # noqa: B018
    with pytest.raises(IndexError):
        result[2]


# ---- coroutines


def run(fake: FakeFarm, coroutine: Any) -> Any:
    """Run to the end; engines work while the completion thread waits."""
    fake.runs_in_background = True
    return asyncio.run(asyncio.wait_for(coroutine, 20))


def test_await_gives_the_value(view: LoadBalancedView, fake: FakeFarm) -> None:
    async def main() -> None:
        assert await view.apply_async(double, 4) == 8
        assert await view.map_async(double, range(10), chunksize=3) == [2 * x for x in range(10)]
        with pytest.raises(ZeroDivisionError):
            await view.apply_async(reciprocal, 0)
        assert await asyncio.gather(*(view.apply_async(double, x) for x in range(5))) == [0, 2, 4, 6, 8]

    run(fake, main())


def test_async_for_shows_values_as_they_come(view: LoadBalancedView, direct: DirectView, fake: FakeFarm) -> None:
    async def main() -> None:
        assert [value async for value in view.map_async(double, range(7), chunksize=2)] == [2 * x for x in range(7)]
        unordered = view.map_async(double, range(7), ordered=False)
        assert sorted([value async for value in unordered]) == [2 * x for x in range(7)]
        assert [value async for value in direct.apply_async(double, 1)] == [2, 2]
        assert [value async for value in view.map_async(double, range(300), chunksize="auto")] == list(range(0, 600, 2))
        values = view.map_async(reciprocal, [1, 2, 0, 4]).__aiter__()
        assert [await anext(values), await anext(values)] == [1.0, 0.5]
        with pytest.raises(ZeroDivisionError):
            await anext(values)
        with pytest.raises(TypeError, match="await it"):
            view.apply_async(double, 1).__aiter__()

    run(fake, main())


def test_whoever_stops_waiting_in_a_coroutine_aborts_nothing(view: LoadBalancedView, fake: FakeFarm) -> None:
    async def main() -> None:
        result = view.apply_async(double, 1)
        held = fake.hold()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(result, 0.01)
        assert fake.aborted == []
        assert not result._listeners
        fake.tasks.extend(held)
        assert await result == 2

    run(fake, main())


def test_a_result_that_comes_after_its_loop_was_closed_does_no_harm(view: LoadBalancedView, fake: FakeFarm) -> None:
    result = view.apply_async(double, 1)
    held = fake.hold()

    async def main() -> None:
        asyncio.get_running_loop().create_task(wait())
        await asyncio.sleep(0)

    async def wait() -> None:
        await result

    asyncio.run(main())
    fake.tasks.extend(held)
    assert result.get(1) == 2


def test_a_failed_call_ends_a_coroutine_that_waits(direct: DirectView, fake: FakeFarm) -> None:
    async def main() -> None:
        result = direct.apply_async(double, 1)
        fake.hold()
        threading.Timer(0.02, result.fail, [EngineError("gone")]).start()
        with pytest.raises(EngineError):
            await result
        with pytest.raises(EngineError):
            async for _ in result:
                pass

    run(fake, main())


# ---- what notebooks show


def test_html_says_how_far_it_is_and_escapes(view: LoadBalancedView, fake: FakeFarm) -> None:
    result = view.set_flags(label="<b>&").map_async(double, range(30), chunksize=1)
    held = fake.hold()
    assert "0 of 30 done" in result._repr_html_()
    assert "<progress value='0' max='30'>" in result._repr_html_()
    fake.tasks.extend(held)
    result.get(1)
    html = result._repr_html_()
    assert "30 ok" in html
    assert "10 more" in html
    assert "<progress" not in html
    assert html.count("<tr>") == html.count("</tr>")
    assert "&lt;b&gt;&amp;" in view._repr_html_()
    assert "<b>&" not in view._repr_html_()
    assert "LoadBalancedView" in view._repr_html_()


# ---- times


def test_times_of_a_call(direct: DirectView, fake: FakeFarm) -> None:
    result = direct.apply_async(double, 1)
    held = fake.hold()
    assert result.progress == 0
    assert result.elapsed >= 0
    for name in ("serial_time", "wall_time"):
        with pytest.raises(TimeoutError, match="not all results"):
            getattr(result, name)
    fake.deliver(1, farm.OK, 2, seconds=2.0)
    assert result.progress == 1
    fake.deliver(2, farm.OK, 2, seconds=3.0, engine=1)
    result.get(1)
    assert len(held) == 2
    assert result.serial_time == pytest.approx(5.0)
    assert result.timedelta(result.started, result.completed) == pytest.approx(3.0)
    assert result.timedelta(result.started[0], result.completed[0]) == pytest.approx(2.0)
    assert result.timedelta(result.started, result.completed, end_key=min) == pytest.approx(2.0)
    assert result.elapsed == result.wall_time
