"""linden.aio against a real server: the same words with await, and cancellation that loses nothing."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import linden
import pytest
from linden import ANY, NoMatch, StaleLease, aio

Body = Callable[[aio.Connection, aio.Space], Coroutine[Any, Any, None]]


class Server(Protocol):
    """The fixture of tests/conftest.py."""

    address: str

    def start(self) -> None: ...
    def kill(self) -> None: ...


@pytest.fixture
def run(space_server: Server) -> Callable[[Body], None]:
    """Runs a coroutine function with a connection and a space of its own."""

    async def main(body: Body) -> None:
        async with aio.connect(space_server.address, name="test") as connection:
            await asyncio.wait_for(body(connection, await connection.space("test", durability="process")), 60)

    return lambda body: asyncio.run(main(body))


async def until_waiting(space: aio.Space, waiters: int) -> None:
    while (await space.summarize())["waiters"] < waiters:
        await asyncio.sleep(0)


def settle(space: aio.Space) -> None:
    """Blocks the event loop until all that the server has answered so far lies in its future."""
    space.plain.count_async((ANY,)).result(20)


def test_what_was_put_is_read_and_taken(run: Callable[[Body], None]) -> None:
    async def body(connection: aio.Connection, space: aio.Space) -> None:
        first = await space.put(("job", 1, {"any": "object"}), priority=1)
        assert await space.put_many([("job", 2, None), ("job", 3, None)]) == [first + 1, first + 2]
        assert await space.put_many([]) == []
        assert await space.count(("job", int, ANY)) == 3
        assert await space.read(("job", int, ANY)) == ("job", 1, {"any": "object"})
        assert await space.try_read(("job", 9, ANY)) is None
        assert await space.read_any([("other",), ("job", 3, ANY)]) == (1, ("job", 3, None))
        assert await space.take(("job", 2, ANY)) == ("job", 2, None)
        assert await space.take_any([("other",), ("job", 3, ANY)]) == (1, ("job", 3, None))
        assert await space.try_take(("job", int, ANY)) == ("job", 1, {"any": "object"})
        assert await space.take_many(("job", int, ANY), 5) == []
        with pytest.raises(NoMatch):
            await space.take(("job", int, ANY), timeout=0)
        assert (connection.connected, space.name, space.durability) == (True, "test", "process")
        assert [listed["name"] for listed in await connection.spaces()] == ["test"]
        await connection.drop_space("test")
        with pytest.raises(linden.NoSuchSpace):
            await connection.space("test", create=False)

    run(body)


def test_lists_and_iterations_go_page_by_page(run: Callable[[Body], None]) -> None:
    async def body(connection: aio.Connection, space: aio.Space) -> None:
        await space.put_many([("a", number) for number in range(2500)])
        assert await space.list(("a", int), limit=3) == [("a", 0), ("a", 1), ("a", 2)]
        assert await space.list(limit=0) == []
        assert [number async for _, number in space.iterate()] == list(range(2500))
        assert [row["state"] async for row in space.describe(("a", 7))] == ["ready"]

    run(body)


def test_many_calls_wait_at_once(run: Callable[[Body], None]) -> None:
    async def body(connection: aio.Connection, space: aio.Space) -> None:
        takes = [asyncio.create_task(space.take(("n", number), timeout=20)) for number in range(100)]
        await until_waiting(space, 100)
        await asyncio.gather(*(space.put(("n", number)) for number in range(100)))
        assert await asyncio.gather(*takes) == [("n", number) for number in range(100)]

    run(body)


def test_a_block_that_ends_well_finishes_and_one_that_fails_releases(run: Callable[[Body], None]) -> None:
    """P16, P17"""

    async def body(connection: aio.Connection, space: aio.Space) -> None:
        await space.put(("task", 1))
        with pytest.raises(RuntimeError):
            async with space.reserve(("task", int)):
                raise RuntimeError
        async with space.reserve(("task", int)) as held:
            assert held.token == (held.id, 2)
            assert await space.try_reserve(("task", int)) is None
            await held.finish([("done", held.tuple[1])])
        assert await space.take(("done", int)) == ("done", 1)
        assert await space.try_take(("task", int)) is None
        with pytest.raises(StaleLease):
            await held.finish()
        await space.put(("task", 2))
        again = await space.reserve(("task", int))
        await again.release()
        assert await space.count(("task", 2)) == 1

    run(body)


def test_p11_a_cancelled_take_takes_nothing(run: Callable[[Body], None]) -> None:
    async def body(connection: aio.Connection, space: aio.Space) -> None:
        task = asyncio.create_task(space.take(("x",)))
        await until_waiting(space, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while (await space.summarize())["waiters"]:
            await asyncio.sleep(0)
        await space.put(("x",))
        assert await space.take(("x",), timeout=0) == ("x",)

    run(body)


@pytest.mark.parametrize("what", ["take", "take_many", "take_any", "reserve"])
def test_p11_a_take_that_is_cancelled_after_it_was_answered_gives_back(
    run: Callable[[Body], None], space_server: Server, what: str
) -> None:
    """The answer lies in the future, and the event loop has not run since: nobody will ever see it."""

    async def body(connection: aio.Connection, space: aio.Space) -> None:
        async def reserve() -> object:
            return await space.reserve(("x", int))

        calls: dict[str, Callable[[], Coroutine[Any, Any, Any]]] = {
            "take": lambda: space.take(("x", int)),
            "take_many": lambda: space.take_many(("x", int), 5, timeout=None),
            "take_any": lambda: space.take_any([("y",), ("x", int)]),
            "reserve": reserve,
        }
        task = asyncio.create_task(calls[what]())
        await until_waiting(space, 1)
        with linden.connect(space_server.address) as other:
            other.space("test").put(("x", 1))
        settle(space)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await space.take(("x", int), timeout=20) == ("x", 1)

    run(body)


def test_a_timeout_of_asyncio_ends_the_request(run: Callable[[Body], None]) -> None:
    async def body(connection: aio.Connection, space: aio.Space) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await space.take(("x",))
        await space.put(("x",))
        assert await space.count(("x",)) == 1

    run(body)


def test_a_reading_stream_shows_what_is_there_and_what_comes(run: Callable[[Body], None]) -> None:
    async def body(connection: aio.Connection, space: aio.Space) -> None:
        await space.put_many([("a", number) for number in range(1500)])
        seen = []
        async with space.read_stream(("a", int), credit=100) as stream:
            async for _, number in stream:
                seen.append(number)
                if number == 1499:
                    await space.put(("a", 1500))
                if number == 1500:
                    break
        assert seen == list(range(1501))
        assert await space.count(("a", int)) == 1501

    run(body)


def test_p15_a_taking_stream_that_is_left_early_puts_back_what_it_had_not_given_out(
    run: Callable[[Body], None],
) -> None:
    async def body(connection: aio.Connection, space: aio.Space) -> None:
        await space.put_many([("a", number) for number in range(300)])
        taken = []
        async with space.take_stream(("a", int), credit=50) as stream:
            async for _, number in stream:
                taken.append(number)
                if len(taken) == 120:
                    break
        await stream.close()
        assert taken == list(range(120))
        left = [number async for _, number in space.iterate(("a", int))]
        assert sorted(taken + left) == list(range(300))
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    run(body)


def test_p11_who_is_cancelled_in_a_stream_leaves_the_tuple_to_the_next(run: Callable[[Body], None]) -> None:
    async def body(connection: aio.Connection, space: aio.Space) -> None:
        async with space.take_stream(("a", int)) as stream:
            first, second = asyncio.create_task(anext(stream)), asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            await space.put(("a", 1))
            assert await second == ("a", 1)

    run(body)


def test_a_reserving_stream_hands_out_tasks_one_by_one(run: Callable[[Body], None]) -> None:
    async def body(connection: aio.Connection, space: aio.Space) -> None:
        await space.put_many([("task", number) for number in range(10)])
        async with space.reserve_stream(("task", int), credit=3) as stream:
            for number in range(5):
                async with await anext(stream) as held:
                    assert (held.tuple, held.attempt) == (("task", number), 1)
                    held.finish([("done", number)])
            with pytest.raises(RuntimeError):
                async with await anext(stream):
                    raise RuntimeError
            given_back = asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
            given_back.cancel()
        for number in range(5):
            assert await space.take(("done", number), timeout=20) == ("done", number)
        left = [await space.take(("task", int), timeout=20) for _ in range(5)]
        assert sorted(left) == [("task", number) for number in range(5, 10)]

    run(body)


def test_a_stream_needs_a_template_and_credit(run: Callable[[Body], None]) -> None:
    async def body(connection: aio.Connection, space: aio.Space) -> None:
        with pytest.raises(ValueError, match="at least one template"):
            space.read_stream()
        with pytest.raises(ValueError, match="credit is 0"):
            space.take_stream(("a",), credit=0)

    run(body)


def test_a_stream_whose_connection_is_closed_says_so(space_server: Server) -> None:
    async def main() -> None:
        async with aio.connect(space_server.address) as connection:
            stream = (await connection.space("test")).read_stream(("a",))
            waiting = asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
        with pytest.raises(linden.Closed):
            await waiting

    asyncio.run(main())


def test_a_stream_whose_space_was_dropped_may_be_closed(run: Callable[[Body], None]) -> None:
    """P40"""

    async def body(connection: aio.Connection, space: aio.Space) -> None:
        async with space.take_stream(("a",)) as stream:
            waiting = asyncio.create_task(anext(stream))
            await asyncio.sleep(0)
            await connection.drop_space("test")
            with pytest.raises(linden.SpaceGone):
                await waiting

    run(body)


def test_p36_a_killed_server_is_not_noticed(run: Callable[[Body], None], space_server: Server) -> None:
    async def body(connection: aio.Connection, space: aio.Space) -> None:
        await space.put(("before", 1))
        waiting = asyncio.create_task(space.take(("after", int)))
        await until_waiting(space, 1)
        await asyncio.to_thread(space_server.kill)
        put = asyncio.create_task(space.put(("after", 2)))
        await asyncio.to_thread(space_server.start)
        await put
        assert await waiting == ("after", 2)
        assert await space.count(("before", 1)) == 1

    run(body)


def test_an_open_stream_does_not_keep_the_interpreter_from_ending(space_server: Server) -> None:
    program = f"""
import asyncio
from linden import aio
async def main():
    connection = await aio.connect({space_server.address!r})
    stream = (await connection.space("test")).read_stream(("a",))
    try:
        await asyncio.wait_for(anext(stream), 0.05)
    except TimeoutError:
        pass
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_importing_linden_does_not_import_asyncio() -> None:
    program = "import sys, linden; print(sorted({'asyncio', 'linden.aio', 'linden.recipes'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "[]\n"
