"""Values that an engine keeps, of its own tasks and for those of others, in a space in memory."""

from __future__ import annotations

import threading
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from linden import ANY, _native, farm, kept_tuples, serialize
from linden.error import KeptResultLost, UnmetDependency
from linden.kept import Kept
from linden_engine import keeper as module
from linden_engine.keeper import Keeper, describe, size_of

from tests.python.memory_space import MemorySpace

CLIENT = "c" * 32
SESSIONS = ["0" * 32, "1" * 32]


def double(x: int) -> Any:
    return [2 * x]


def fail(x: int) -> None:
    raise ValueError(f"not {x}")


FUNCTIONS = {"double": double, "inverse": lambda x: 1 / x, "fail": fail, "lock": lambda _: threading.Lock()}


class Engines:
    """Two keepers, whose attendants listen when `value_at` waits."""

    def __init__(self) -> None:
        self.space = MemorySpace()
        self.sessions = [self.space.session(session) for session in SESSIONS]
        self.keepers = [Keeper(own, id_, FUNCTIONS.__getitem__) for id_, own in enumerate(self.sessions)]  # type: ignore[arg-type]

    def run(self, engine: int, number: int, value: Any, items: bool = False, **known: Any) -> Any:
        """A task has ended on that engine: what stands for its value."""
        kept = self.keepers[engine].keep((CLIENT, number), value, items)
        self.put(engine, self.keepers[engine].announce((CLIENT, number), farm.OK))
        self.put(engine, [self.result(engine, number, **known)])
        return kept

    @staticmethod
    def result(
        engine: int, number: int, function: str = "double", retries: int | None = None, large: bool = False
    ) -> Any:
        payload = serialize.pack(((21, *([b"x" * 70_000] if large else [])), {}))
        put = farm.task("any", CLIENT, number, function, farm.APPLY, function, payload, retries=retries, keep=True)
        return farm.result(CLIENT, number, farm.OK, farm.ran(engine, SESSIONS[engine], 0.0, 0.0, put.fields), None)

    def put(self, engine: int, puts: list[Any]) -> None:
        own = self.sessions[engine]
        own.client.wait(own.send_put(puts))

    def value_at(self, engine: int, kept: Kept) -> Any:
        """The value as a task there sees it; the other engine's attendant answers meanwhile."""
        with ThreadPoolExecutor(1) as main_thread:
            value: Future[Any] = main_thread.submit(self.keepers[engine].value, kept)
            while not value.done():
                self.listen(1 - engine)
            return value.result()

    def listen(self, engine: int) -> None:
        own = self.sessions[engine]
        form = ("control", SESSIONS[engine], ANY, ANY)
        try:
            handout = own.client.wait(own.send_take(_native.TAKE, [form], timeout=0.005))[0]
        except TimeoutError:
            return
        verb, argument = handout.fields[2:]
        keeper = self.keepers[engine]
        {farm.GIVE: keeper.give, farm.TAKEN: keeper.taken, farm.DROP: keeper.drop}[verb](*argument)

    def dies(self, engine: int) -> None:
        """Its session ends, and what lived with it."""
        for id_ in self.space.find(("kept", ANY, ANY, engine, ANY, ANY, ANY)):
            del self.space.tuples[id_]


@pytest.fixture
def engines() -> Engines:
    return Engines()


def kept_at(engines: Engines) -> list[tuple[int, int]]:
    """Number and engine of each value, as the farm knows it."""
    form = ("kept", ANY, ANY, ANY, ANY, ANY, ANY)
    return [tuple(engines.space.tuples[id_][2:4]) for id_ in engines.space.find(form)]  # type: ignore[misc]


def test_a_value_is_itself_where_it_is_kept(engines: Engines) -> None:
    """It is never pickled there, so it may be anything."""
    lock = threading.Lock()
    kept = engines.run(0, 7, lock)
    assert (kept.msg_id, kept.item, kept.engine_id, kept.what) == (f"{CLIENT}_7", None, 0, "lock")
    assert engines.keepers[0].value(kept) is lock
    assert kept_at(engines) == [(7, 0)]


def test_items_are_kept_as_a_whole_and_known_one_by_one(engines: Engines) -> None:
    values = [threading.Lock(), b"12345"]
    first, second = engines.run(0, 7, values, items=True)
    assert (first.item, second.item, second.what) == (0, 1, "bytes of 5")
    assert engines.keepers[0].value(first) is values[0]
    assert engines.value_at(1, second) == b"12345"
    assert kept_at(engines) == [(7, 0)]


def test_another_engine_is_given_a_copy_and_keeps_some(engines: Engines) -> None:
    kept = [engines.run(0, number, [number]) for number in range(1, 12)]
    copies = [engines.value_at(1, each) for each in kept]
    assert copies == [[number] for number in range(1, 12)]
    assert engines.keepers[1].value(kept[-1]) is copies[-1]
    assert len(engines.keepers[1]._copies) == module._COPIES_MAX
    assert kept_at(engines) == [(number, 0) for number in range(1, 12)]
    assert engines.space.find(("given", ANY, ANY, ANY, ANY)) == []


class Store:
    """What goes by reference is there as long as somebody holds it."""

    class Held:
        pass

    def __init__(self) -> None:
        self.held: list[Any] = []

    def lend(self, value: Any) -> Any:
        held = self.Held()
        self.held.append(weakref.ref(held))
        return serialize.pack_result(value), [held]


def test_what_goes_by_reference_is_held_until_it_has_come(engines: Engines) -> None:
    store = Store()
    engines.keepers[0]._data = store  # type: ignore[assignment]
    kept = engines.run(0, 7, [1, 2])
    own = engines.sessions[0]
    asker = SESSIONS[1]
    engines.put(1, [kept_tuples.give(SESSIONS[0], CLIENT, 7, None, asker, 99)])  # and dies
    engines.listen(0)
    assert engines.value_at(1, kept) == [1, 2]
    engines.listen(0)
    assert [held() is not None for held in store.held] == [True, False]
    own.client.wait(own.send_put([kept_tuples.taken(SESSIONS[0], asker, 99)]))
    engines.listen(0)
    assert [held() for held in store.held] == [None, None]


def test_what_cannot_be_pickled_stays_and_the_task_has_to_go_there(engines: Engines) -> None:
    kept = engines.run(0, 7, threading.Lock())
    with pytest.raises(UnmetDependency, match="cannot leave the engine that keeps it: NotPicklable"):
        engines.value_at(1, kept)


def test_a_value_whose_engine_has_gone_is_made_again(engines: Engines) -> None:
    kept = engines.run(0, 7, double(21))
    engines.dies(0)
    value = engines.keepers[1].value(kept)
    assert value == [42]
    assert engines.keepers[1].value(kept) is value
    engines.put(1, engines.keepers[1].announce((CLIENT, 99), farm.OK))
    assert kept_at(engines) == [(7, 1)]


def test_an_engine_that_goes_while_it_is_asked(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.01)
    kept = engines.run(0, 7, double(21))
    asked = engines.keepers[1]
    with ThreadPoolExecutor(1) as main_thread:
        value = main_thread.submit(asked.value, kept)
        own = engines.sessions[0]
        own.client.wait(own.send_take(_native.TAKE, [("control", SESSIONS[0], farm.GIVE, ANY)], timeout=20))
        engines.dies(0)
        assert value.result(20) == [42]


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"large": True}, "its arguments were large; up to 64 KiB are remembered"),
        ({"retries": 0}, "its task must not run twice"),
        ({"function": "fail"}, "its task was run again, and raised ValueError: not 21"),
    ],
)
def test_a_value_that_cannot_be_made_again_is_lost(engines: Engines, known: Any, why: str) -> None:
    kept = engines.run(0, 7, double(21), **known)
    engines.dies(0)
    with pytest.raises(KeptResultLost, match=why) as caught:
        engines.keepers[1].value(kept)
    assert f"the value of {CLIENT}_7, list of 1, which engine 0 kept, is on no engine any more" in str(caught.value)


def test_the_value_of_a_purged_result_is_lost(engines: Engines) -> None:
    first, second = engines.run(0, 7, 1), engines.run(0, 8, 2)
    engines.put(0, [kept_tuples.drop(SESSIONS[0], CLIENT, 7)])
    engines.listen(0)
    for id_ in [
        *engines.space.find(kept_tuples.kept_form(CLIENT, 7)),
        *engines.space.find(farm.results_form(CLIENT, 7)),
    ]:
        del engines.space.tuples[id_]
    with pytest.raises(KeptResultLost, match="its result was purged"):
        engines.keepers[0].value(first)
    assert engines.keepers[0].value(second) == 2
    engines.put(0, [kept_tuples.drop(SESSIONS[0], CLIENT, None)])
    engines.listen(0)
    assert engines.keepers[0]._values == {}


def test_what_a_cancelled_task_has_made_is_dropped(engines: Engines) -> None:
    engines.keepers[0].keep((CLIENT, 7), "value", False)
    assert engines.keepers[0].announce((CLIENT, 7), farm.CANCELLED) == []
    assert engines.keepers[0]._values == {}


def test_what_a_cancelled_task_had_made_again_stays(engines: Engines) -> None:
    kept = engines.run(0, 7, double(21))
    engines.dies(0)
    keeper = engines.keepers[1]
    keeper.value(kept)
    keeper.keep((CLIENT, 8), "its own value", False)
    engines.put(1, keeper.announce((CLIENT, 8), farm.CANCELLED))
    assert kept_at(engines) == [(7, 1)]
    assert not keeper.has_new


def test_a_part_of_a_map_is_made_again_though_one_of_its_items_fails(engines: Engines) -> None:
    payload = serialize.pack(([4, 0, 2],))
    task = farm.task("any", CLIENT, 7, "inverse", farm.MAP, "inverse", payload, keep=True).fields
    result = farm.result(CLIENT, 7, farm.ERROR, farm.ran(0, SESSIONS[0], 0.0, 0.0, task), None)
    handles = engines.keepers[0].keep((CLIENT, 7), [0.25, None, 0.5], True)
    engines.put(0, [result])
    keeper = engines.keepers[1]
    assert keeper.value(handles[2]) == 0.5
    assert keeper.value(handles[0]) == 0.25
    other = Engines()
    other.put(0, [result])
    with pytest.raises(KeptResultLost, match="was run again, and raised ZeroDivisionError"):
        other.keepers[1].value(handles[1])


def test_values_are_described() -> None:
    numpy = pytest.importorskip("numpy")
    assert describe(numpy.zeros((2, 3))) == "ndarray (2, 3) of float64"
    assert (describe([1, 2]), describe("abc"), describe(None), describe(1.5)) == (
        *("list of 2", "str of 3"),
        *("NoneType", "float"),
    )
    assert size_of(numpy.zeros(1000)) == 8000
    assert size_of([numpy.zeros(1000)] * 2) > 16_000
    assert 0 < size_of("abc") < 100
