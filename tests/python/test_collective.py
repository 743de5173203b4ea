"""Operations of groups, over a space in memory: values, who disagrees, who fails, and what is left."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from linden import collective, collective_post, collective_tuples, farm, serialize
from linden.collective import Group
from linden.collective_post import Post
from linden.error import CollectiveError, CollectiveTimeout, NoGroup, RankFailed, RanksDisagree
from linden.errors import Overloaded
from memory_space import MemorySpace

numpy = pytest.importorskip("numpy")

CLIENT = "c" * 32
SIZES = [1, 2, 3, 4, 7, 8]


def run(size: int, function: Callable[[Group], Any], space: MemorySpace | None = None) -> list[Any]:
    """What `function` returns, or raises, on each rank; each ends as a task does."""
    space = space or MemorySpace()
    call = range(11, 11 + size)

    def task(rank: int) -> Any:
        own = space.session(f"{rank:032}")
        post = Post(own, CLIENT, call, rank, engine=rank)  # type: ignore[arg-type]
        failure, value = None, None
        try:
            value = function(Group(post, rank, size, timeout=20))
        except Exception as error:  # noqa: BLE001  (as the engine does)
            value, failure = error, f"{type(error).__name__}: {error}"
        post.leave(failure)
        status = farm.OK if failure is None else farm.ERROR
        own.send_put([farm.result(CLIENT, call.start + rank, status, [rank, "", 0.0, 0.0], None)])
        return value

    with ThreadPoolExecutor(size) as threads:
        return list(threads.map(task, range(size)))


def left_of(space: MemorySpace) -> list[Any]:
    return [fields for fields in space.tuples.values() if fields[0] == "collective"]


# ---- values


@pytest.mark.parametrize("size", SIZES)
def test_reduce_joins_the_values_in_the_order_of_ranks(size: int) -> None:
    values = run(size, lambda group: group.reduce(str(group.rank), lambda a, b: a + b))
    assert values == ["".join(map(str, range(size))), *[None] * (size - 1)]


@pytest.mark.parametrize("size", SIZES)
def test_any_rank_may_be_the_root(size: int) -> None:
    root = size - 1
    assert run(size, lambda group: group.reduce([group.rank], root=root))[root] == list(range(size))
    assert run(size, lambda group: group.broadcast(f"of {group.rank}", root=root)) == [f"of {root}"] * size
    assert run(size, lambda group: group.gather(group.rank, root=root))[root] == list(range(size))
    scattered = run(size, lambda group: group.scatter([n * n for n in range(size)], root=root))
    assert scattered == [n * n for n in range(size)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("op", "expected"), [("sum", sum), ("min", min), ("max", max)])
def test_allreduce_gives_the_same_to_all(size: int, op: str, expected: Any) -> None:
    assert run(size, lambda group: group.allreduce(group.rank + 1, op)) == [expected(range(1, size + 1))] * size
    arrays = run(size, lambda group: group.allreduce(numpy.full((2, 3), group.rank + 1.0), op))
    assert all((array == expected(range(1, size + 1))).all() and array.shape == (2, 3) for array in arrays)


def test_plain_values_keep_their_types() -> None:
    values = [None, True, 1, 1.5, "text", b"bytes", [1, (2,)], (1, 2), {"a": {1}}, numpy.float64(2.5), 2**80]
    assert run(2, lambda group: group.broadcast(values))[1] == values
    kinds = run(2, lambda group: [type(value) for value in group.broadcast(values)])
    assert kinds[1] == [type(value) for value in values]


def test_allgather_and_barrier() -> None:
    arrived: list[int] = []

    def task(group: Group) -> tuple[list[int], int]:
        arrived.append(group.rank)
        group.barrier()
        return group.allgather(group.rank**2), len(arrived)

    assert run(5, task) == [([0, 1, 4, 9, 16], 5)] * 5


def test_neighbours_in_a_ring() -> None:
    def task(group: Group) -> list[int]:
        left, right = group.ring()
        held, seen = group.rank, []
        for _ in range(group.size):
            group.send(right, held)
            held = group.receive(left)
            seen.append(held)
        return seen

    assert run(4, task)[1] == [0, 3, 2, 1]
    assert run(1, task) == [[0]]


def test_exchange_with_neighbours_of_ones_own() -> None:
    def task(group: Group) -> Any:
        others = {rank: (group.rank, rank) for rank in (group.rank - 1, group.rank + 1) if 0 <= rank < group.size}
        return group.exchange(others)

    assert run(3, task) == [{1: (1, 0)}, {0: (0, 1), 2: (2, 1)}, {1: (1, 2)}]


@pytest.mark.parametrize(("shape", "size"), [((2, 3), 6), ((2, 2), 4), ((1, 2), 2), ((3,), 3), ((2, 1, 2), 4)])
@pytest.mark.parametrize("periodic", [False, True])
def test_a_grid_knows_its_neighbours(shape: tuple[int, ...], size: int, periodic: bool) -> None:
    """What comes from an offset was sent from there towards the opposite one, also where both lead to one rank."""

    def task(group: Group) -> Any:
        grid = group.grid(*shape, periodic=periodic)
        got = grid.exchange({offset: (grid.coordinates, offset) for offset in grid.neighbours})
        return grid, got

    grids = run(size, task)
    for grid, got in grids:
        assert set(got) == set(grid.neighbours)
        for offset, (coordinates, towards) in got.items():
            there = [place + side for place, side in zip(grid.coordinates, offset, strict=True)]
            assert tuple(place % extent for place, extent in zip(there, shape, strict=True)) == coordinates
            assert towards == tuple(-side for side in offset)
    assert len(grids[0][0].neighbours) == (2 * len(shape) if periodic else sum(extent > 1 for extent in shape))


# ---- what is left


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_left_when_all_have_ended(size: int) -> None:
    space = MemorySpace()

    def task(group: Group) -> None:
        for _ in range(3):
            group.allreduce(numpy.ones(3))
            group.barrier()
        if group.rank == 0 and group.size > 1:
            group.send(1, "nobody receives this")

    assert run(size, task, space) == [None] * size
    assert left_of(space) == []


def test_messages_go_when_they_are_received() -> None:
    """An iteration of any length needs the room of one round."""
    space = MemorySpace()
    most = []

    def task(group: Group) -> None:
        for _ in range(20):
            group.allreduce(1)
            group.barrier()
            most.append(len(left_of(space)))

    run(2, task, space)
    assert max(most) <= 12


def test_nothing_is_left_when_one_has_failed() -> None:
    space = MemorySpace()

    def task(group: Group) -> None:
        if group.rank == 2:
            raise KeyError("on purpose")
        group.barrier()

    errors = run(4, task, space)
    assert all(isinstance(error, Exception) for error in errors)
    assert left_of(space) == []


class Data:
    """Everything is large, and is there as long as somebody holds it."""

    class Held:
        pass

    def __init__(self) -> None:
        self.held: weakref.WeakSet[Data.Held] = weakref.WeakSet()

    def lend(self, value: Any) -> tuple[Any, Any]:
        held = Data.Held()
        self.held.add(held)
        return serialize.pack_result(value), [held]


class Pair:
    """Two ranks on the threads of a test."""

    def __init__(self) -> None:
        self.space = MemorySpace()
        self.data = Data()
        self.sessions = [self.space.session(f"{rank:032}") for rank in (0, 1)]
        self.posts = [
            Post(own, CLIENT, range(11, 13), rank, rank, self.data)  # type: ignore[arg-type]
            for rank, own in enumerate(self.sessions)
        ]

    def receive(self) -> Any:
        value = self.posts[1].receive(0, "send", None).value
        self.posts[1].settle()
        return value


def test_large_values_are_let_go_of_at_the_cost_of_one_count_for_each_receiver() -> None:
    pair = Pair()
    sender = pair.posts[0]
    for n in range(20):
        sender.send(1, "send", n)
    assert [pair.receive() for _ in range(15)] == list(range(15))
    counted = []
    count = pair.sessions[0].send_count
    pair.sessions[0].send_count = lambda form: counted.append(form) or count(form)  # type: ignore[method-assign,func-returns-value]
    sender.settle()
    assert len(counted) == 1
    sender.settle()  # the answers are read with the next operation
    assert len(pair.data.held) == 5
    assert [pair.receive() for _ in range(5)] == list(range(15, 20))
    sender.settle()
    sender.settle()
    assert len(pair.data.held) == 0
    assert counted[3:] == []


def test_who_lingers_for_a_receiver_that_has_died_looks_ever_less_and_tidies_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P19: the space says that the receiver has failed, by its will, and then nobody else comes who could be the last."""
    pair = Pair()
    pauses: list[float] = []
    enough, dead = threading.Event(), threading.Event()

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 8:
            enough.set()
            assert dead.wait(20)

    monkeypatch.setattr(collective_post, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    pair.posts[0].send(1, "send", "large")
    pair.posts[0].leave(None)
    assert enough.wait(20)
    assert len(pair.data.held) == 1
    own = pair.sessions[1]
    here = pair.space.find(collective_tuples.collective_form(CLIENT, 11, collective_tuples.HERE, 1))
    own.client.wait(
        own.send_commit(
            [collective_tuples.left(CLIENT, 11, 1, own.client.session, "rank 1: its engine died")], [], here
        )
    )
    dead.set()
    for thread in threading.enumerate():
        if thread.name == "linden-lent":
            thread.join(20)
    assert left_of(pair.space) == []
    assert len(pair.data.held) == 0
    assert pauses[0] < pauses[1] < pauses[2]
    assert pauses[6] == pauses[7] == collective_post._LOOK_MAX_S


def test_a_rank_whose_last_message_is_refused_says_so_and_has_left() -> None:
    """The others would wait for its result, and what the call had would stay as long as its engine."""
    pair = Pair()
    put = pair.sessions[0].send_put

    def refuse(puts: Any, patient: bool = False) -> int:
        def answer() -> Any:
            raise Overloaded("the space is full")

        return pair.sessions[0]._answer(answer) if puts[0].fields[3] == 0 else put(puts, patient)

    pair.sessions[0].send_put = refuse  # type: ignore[method-assign]
    pair.posts[0].send(1, "send", "value")
    with pytest.raises(Overloaded):
        pair.posts[0].leave(None)
    with pytest.raises(RankFailed, match="a message of it was refused: the space is full"):
        pair.posts[1].receive(0, "send", None)
    pair.posts[1].leave("RankFailed")
    assert left_of(pair.space) == []


def test_a_task_does_not_inherit_the_group_of_one_that_was_ended_by_force() -> None:
    """Such as by a wish of its client that came at its very end, so that `end_task` was not reached."""
    own = MemorySpace().session("0" * 32)
    for number in (21, 31):
        put = farm.task("engine:0", CLIENT, number, "f", farm.APPLY, "", None, call=range(number, number + 2))
        collective.begin_task(own, put.fields, 0)  # type: ignore[arg-type]
        assert collective.group().name == farm.message_id(CLIENT, number)
    collective.end_task(farm.OK, None)


# ---- who fails, who disagrees


def test_all_others_are_told_who_has_failed_and_why() -> None:
    def task(group: Group) -> None:
        group.barrier()
        if group.rank == 2:
            raise ValueError("on purpose")
        group.allreduce(1)

    errors = run(5, task)
    assert isinstance(errors[2], ValueError)
    for rank in (0, 1, 3, 4):
        assert isinstance(errors[rank], RankFailed)
        assert "rank 2 on engine 2 has failed: ValueError: on purpose" in str(errors[rank])


def test_a_rank_that_waits_for_one_that_is_well_is_told_of_another() -> None:
    """Rank 0 is at work and comes late; that rank 2 has failed reaches rank 1 before."""
    told = threading.Event()

    def task(group: Group) -> None:
        if group.rank == 2:
            raise ValueError("on purpose")
        if group.rank == 0:
            assert told.wait(20)
            return
        try:
            group.receive(0)
        finally:
            told.set()

    assert isinstance(run(3, task)[1], RankFailed)


def test_a_message_counts_though_its_sender_has_failed_since() -> None:
    sent = threading.Event()

    def task(group: Group) -> Any:
        if group.rank == 0:
            group.send(1, "before")
            sent.set()
            raise ValueError("after")
        assert sent.wait(20)
        return group.receive(0)

    assert run(2, task)[1] == "before"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda group: group.barrier(), lambda group: group.allreduce(1)),
        (lambda group: group.allreduce(1, "sum"), lambda group: group.allreduce(1, "max")),
        (lambda group: group.allreduce(numpy.ones(3)), lambda group: group.allreduce(numpy.ones(4))),
        (lambda group: group.allreduce(numpy.ones((1, 3))), lambda group: group.allreduce(numpy.ones(3))),
        (lambda group: group.reduce(1), lambda group: group.allreduce(1)),
        (lambda group: group.broadcast(1, 0), lambda group: group.broadcast(1, 1)),
        (lambda group: None, lambda group: group.barrier()),
        (lambda group: group.exchange({1: 1}), lambda group: group.barrier()),
    ],
)
def test_ranks_that_disagree_are_told(one: Any, other: Any) -> None:
    def task(group: Group) -> None:
        (one if group.rank == 0 else other)(group)
        group.barrier()  # who only sends hears of it at the next operation

    errors = run(4, task)
    assert any(isinstance(error, RanksDisagree) for error in errors)
    assert all(isinstance(error, CollectiveError) for error in errors if error is not None)


def test_a_rank_that_does_not_come_is_waited_for_no_longer_than_allowed() -> None:
    given_up = threading.Event()

    def task(group: Group) -> Any:
        if group.rank == 1:
            assert given_up.wait(20)
            return None
        try:
            group.receive(1, timeout=0.01)
        finally:
            given_up.set()

    assert isinstance(run(2, task)[0], CollectiveTimeout)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda group: group.broadcast(1, root=2), "from 0 to 1, not 2"),
        (lambda group: group.send(-1, 1), "from 0 to 1, not -1"),
        (lambda group: group.exchange({"left": 1}), "not 'left'"),
        (lambda group: group.allreduce(1, "median"), "one of sum, prod, min, max, not 'median'"),
        (lambda group: group.scatter([1], root=group.rank), "each of the 2 ranks, and was given 1"),
        (lambda group: group.scatter(None, root=group.rank), "was given none"),
        (lambda group: group.grid(3), "has 3 places, and the group 2 ranks"),
        (lambda group: group.grid(), "one or more numbers"),
        (lambda group: group.grid(2, 0), "at least 1"),
        (lambda group: group.grid(2).exchange({(2,): 0}), r"no neighbour at \(2,\)"),
        (lambda group: group.barrier(timeout=-3), "timeout is -3"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(call: Any, message: str) -> None:
    for error in run(2, call):
        with pytest.raises(ValueError, match=message):
            raise error


def test_outside_of_a_task_there_is_no_group() -> None:
    with pytest.raises(NoGroup, match="this is no task; call it as"):
        collective.group()


def test_a_task_by_itself_is_no_group() -> None:
    task = farm.task("any", CLIENT, 1, "mine", farm.APPLY, "", None).fields
    collective.begin_task(None, task, 0)  # type: ignore[arg-type]
    try:
        with pytest.raises(NoGroup, match="the task 'mine' is by itself"):
            collective.group()
    finally:
        collective.end_task(farm.OK, None)
