"""linden.Space against a real server: what Python adds to the promises of the space."""

import asyncio
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import CancelledError

import linden
import pytest
from linden import ANY, Between, NoMatch, OneOf, Prefix, Space, StaleLease
from linden_launchers import LocalCluster
from live import cluster as cluster


@pytest.fixture
def space(cluster: LocalCluster) -> Iterator[Space]:
    """A space of the test's own."""
    with linden.connect(cluster.connection_file) as connection:
        name = f"test-{uuid.uuid4().hex}"
        yield connection.space(name, durability="memory")
        connection.drop_space(name)


def test_put_read_take(space: Space) -> None:
    first = space.put(("job", 1, {"any": "object"}))
    second = space.put(("job", 2, [1.5, None]))
    assert second > first
    assert space.read(("job", int, ANY)) == ("job", 1, {"any": "object"})
    assert space.take(("job", 2, list)) == ("job", 2, [1.5, None])
    assert space.count(("job", int, ANY)) == 1


def test_no_coercion(space: Space) -> None:
    """P2"""
    space.put((1,))
    for other in (1.0, True, "1", b"1"):
        assert space.try_read((other,)) is None
    assert space.try_read((1,)) == (1,)


def test_formals(space: Space) -> None:
    space.put_many([("a", number) for number in range(10)])
    assert space.read(("a", Between(4, 5))) == ("a", 4)
    assert space.read((Prefix("a"), OneOf([9, 8]))) == ("a", 8)
    assert space.try_read(("a", type(None))) is None


def test_p1_lists_match_element_by_element_and_may_hold_formals(space: Space) -> None:
    space.put_many([("move", [7, 1, [None, "x"]]), ("move", [7, 2, [None, "x"]]), ("move", [7, 2]), ("move", 7)])
    assert space.count(("move", [int, ANY, [ANY, "x"]])) == 2
    assert space.take(("move", [7, Between(2, 9), [None, Prefix("")]])) == ("move", [7, 2, [None, "x"]])
    assert space.take(("move", [int, int])) == ("move", [7, 2])
    assert space.count(("move", [7, 1, [None, "x"]])) == 1


def test_p38_templates_that_are_too_large_or_no_text(space: Space) -> None:
    """Each is refused clearly, and the next request works."""
    deep: list[object] = [int]
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(linden.errors.LimitExceeded, match="nested deeper"):
        space.try_take(("a", deep))
    with pytest.raises(linden.errors.LimitExceeded, match="64 fields"):
        space.try_take((ANY,) * 1000)
    with pytest.raises(linden.errors.LimitExceeded, match="65536 elements"):
        space.try_take(([int] * 65_537,))
    with pytest.raises(UnicodeEncodeError):
        space.try_take(("\ud800",))
    space.put((float("nan"),))
    assert space.try_read((float("nan"),)) is None
    assert space.try_read(([float("nan")],)) is None
    assert space.count((float,)) == 1


def test_explain_says_what_a_template_costs(space: Space) -> None:
    space.put_many([("task", number, f"user{number % 10}") for number in range(200)])
    explained = space.explain((ANY, int, "user3"))
    assert explained == {
        "index": (2,),
        "learned": False,
        "tuples": 200,
        "candidates": 20,
        "matches": 20,
        "scans": 0,
    }
    assert space.count(("task", Between(190, 300), ANY)) == 10
    assert space.explain(("task", Between(190, 300), ANY))["candidates"] == 200
    assert space.explain((ANY,))["scans"] == 1


def test_nothing_in_time_is_no_match(space: Space) -> None:
    """P12; NoMatch is a TimeoutError."""
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        space.take(("nothing",), timeout=0.05)
    assert time.monotonic() - began >= 0.05
    with pytest.raises(NoMatch):
        space.read(("nothing",), timeout=0)
    with pytest.raises(ValueError, match="negative"):
        space.take(("nothing",), timeout=-1)
    assert space.try_take(("nothing",)) is None


def test_a_take_waits_for_a_put(space: Space) -> None:
    future = space.take_async(("later", int))
    assert not future.done()
    space.put(("later", 7))
    assert future.result(10) == ("later", 7)


def test_priority_comes_first_then_age(space: Space) -> None:
    """P5"""
    space.put((1,))
    space.put((2,))
    space.put((3,), priority=1)
    assert [space.take((int,))[0] for _ in range(3)] == [3, 1, 2]


def test_take_many_and_take_any(space: Space) -> None:
    """P14, P15"""
    space.put_many([("a", number) for number in range(5)])
    assert space.take_many(("a", int), 3) == [("a", 0), ("a", 1), ("a", 2)]
    assert len(space.take_many(("a", int), 10)) == 2
    assert space.take_many(("a", int), 10) == []
    space.put(("b", 1))
    assert space.take_any([("a", int), ("b", int)], timeout=5) == (1, ("b", 1))


def read_until_gone(space: Space) -> None:
    while True:
        space.read(("short",), timeout=0)


def test_ttl(space: Space) -> None:
    """P21"""
    space.put(("short",), ttl=0.05)
    with pytest.raises(NoMatch):
        read_until_gone(space)
    with pytest.raises(ValueError, match="ttl"):
        space.put(("short",), ttl=0)


def test_a_reservation_that_is_finished(space: Space) -> None:
    """P17"""
    space.put(("task", 1))
    with space.reserve(("task", int)) as held:
        assert space.try_read(("task", int)) is None
        held.finish(puts=[("result", held.tuple[1], 42)])
    assert space.take(("result", int, int)) == ("result", 1, 42)
    assert space.count(("task", int)) == 0


def test_a_block_that_ends_well_finishes(space: Space) -> None:
    space.put(("task", 1))
    with space.reserve(("task", int)):
        pass
    assert space.count(("task", int)) == 0


def test_a_block_that_fails_gives_the_tuple_back(space: Space) -> None:
    space.put(("task", 1))
    with pytest.raises(RuntimeError), space.reserve(("task", int)):
        raise RuntimeError("no")
    assert space.take(("task", int), timeout=5) == ("task", 1)


def test_a_second_finish_is_stale(space: Space) -> None:
    space.put(("task", 1))
    held = space.reserve(("task", int))
    held.finish()
    with pytest.raises(StaleLease, match="finish of tuple"):
        held.finish()


def test_the_will_of_a_task_that_is_never_finished(space: Space) -> None:
    """P19"""
    space.put(("task", 1), max_attempts=2, will=("dead", 1))
    for attempt in (1, 2):
        held = space.reserve(("task", int), timeout=5)
        assert held.attempt == attempt
        held.release()
    assert space.take(("dead", int), timeout=5) == ("dead", 1)


def test_session_tuples_go_with_their_connection(space: Space, cluster: LocalCluster) -> None:
    """P25"""
    with linden.connect(cluster.connection_file) as other:
        other.space(space.name).put(("here",), session=True)
        assert space.count(("here",)) == 1
    assert space.count(("here",)) == 0


def test_list_and_iterate(space: Space) -> None:
    space.put_many([("a", number) for number in range(2500)])
    assert space.list(("a", int), limit=3) == [("a", 0), ("a", 1), ("a", 2)]
    assert [number for _, number in space.iterate()] == list(range(2500))
    with space.reserve(("a", int)) as held:
        states = {row["state"] for row in space.describe(("a", 0))}
        assert states <= {"reserved", "started"}
        held.release()


def test_calls_can_be_awaited(space: Space) -> None:
    async def main() -> None:
        assert await space.try_take_async(("x", int)) is None
        waiting = asyncio.ensure_future(_take())
        await space.put_async(("x", 1))
        assert await waiting == ("x", 1)
        assert await space.put_many_async([("y", 1), ("y", 2)])
        assert await space.count_async(("y", int)) == 2
        assert await space.read_async(("y", int)) == ("y", 1)
        assert await space.take_many_async(("y", int), 5) == [("y", 1), ("y", 2)]
        assert await space.take_many_async(("y", int), 5) == []
        await space.put_async(("z",))
        with await space.reserve_async(("z",)) as held:
            assert held.tuple == ("z",)

    async def _take() -> linden.fields.Tuple:
        return await space.take_async(("x", int), timeout=10)

    asyncio.run(main())


def test_a_cancelled_take_takes_nothing(space: Space) -> None:
    """P11"""
    future = space.take_async(("x",))
    assert future.cancel()
    with pytest.raises(CancelledError):
        future.result(5)
    space.put(("x",))
    assert space.try_take(("x",)) == ("x",)


def test_many_threads_share_a_space(space: Space) -> None:
    taken: list[int] = []

    def work() -> None:
        taken.extend(space.take(("n", int), timeout=20)[1] for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    space.put_many([("n", number) for number in range(200)])
    for thread in threads:
        thread.join(60)
    assert sorted(taken) == list(range(200))


def test_an_unknown_space(cluster: LocalCluster) -> None:
    with linden.connect(cluster.connection_file) as connection:
        with pytest.raises(linden.NoSuchSpace):
            connection.space("nowhere", create=False)
        assert "farm" in {space["name"] for space in connection.spaces()}
        assert connection.connected


def test_large_arrays_come_back(space: Space) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(500_000, dtype=float)
    space.put(("array", array))
    assert (space.take(("array", object))[1] == array).all()
