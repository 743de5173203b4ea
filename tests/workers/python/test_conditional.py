"""Where an engine lets a task run whose data are kept somewhere, and when it takes one over, in a space in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from linden import ANY, _native, farm, kept_tuples
from linden.conditions import Conditions, read
from linden.data import refs_in
from linden_engine.conditional import Conditional

from tests.python.memory_space import MemorySpace, SessionSpace

CLIENT = "c" * 32
SESSIONS = ["0" * 32, "1" * 32, "2" * 32]


class Three:
    """Three engines, as each of them sees the space."""

    def __init__(self) -> None:
        self.space = MemorySpace()
        self.sessions = [self.space.session(session) for session in SESSIONS]
        self.conditional = [Conditional(own, id_) for id_, own in enumerate(self.sessions)]  # type: ignore[arg-type]
        for id_, session in enumerate(SESSIONS):
            self.put(farm.registration(id_, session, {}))

    def put(self, *puts: _native.Put) -> None:
        own: SessionSpace = self.sessions[0]
        own.client.wait(own.send_put(puts))

    def keep(self, engine: int, number: int, size: int) -> None:
        self.put(kept_tuples.kept(CLIENT, number, farm.Engine(engine, SESSIONS[engine], {}), size, "value"))


def near_to(*numbers: int, **conditions: Any) -> Sequence[Any]:
    """A task whose arguments are the kept values of these tasks, and that has waited for them."""
    terms = Conditions(near=[farm.message_id(CLIENT, number) for number in numbers], attempts=3, **conditions)
    put = farm.task("any", CLIENT, 9, "name", farm.APPLY, "digest", 5, conditions=terms)
    return put.fields


@pytest.fixture
def three() -> Three:
    return Three()


def test_a_task_runs_where_its_data_are(three: Three) -> None:
    three.keep(1, 7, 100)
    fields, puts = three.conditional[1].decide(near_to(7))
    assert fields is not None
    assert fields[farm.TASK_KIND] == farm.APPLY
    assert puts == []


def test_it_is_passed_on_to_where_most_of_its_data_are(three: Three) -> None:
    three.keep(1, 7, 100)
    three.keep(2, 8, 1000)
    three.keep(1, 6, 800)
    fields, (passed, late) = three.conditional[0].decide(near_to(7, 8))
    assert fields is None
    assert passed.fields[farm.TASK_QUEUE] == "engine:2"
    assert read(passed.fields[farm.TASK_PAYLOAD][3]).placed
    assert late.fields == ("late", "any", CLIENT, 9)
    assert three.conditional[0].decide(near_to(6, 7, 8))[1][0].fields[farm.TASK_QUEUE] == "engine:2"
    assert three.conditional[0].decide(near_to(6, 7))[1][0].fields[farm.TASK_QUEUE] == "engine:1"


def test_an_empty_value_is_somewhere_too(three: Three) -> None:
    three.keep(2, 7, 0)
    assert three.conditional[0].decide(near_to(7))[1][0].fields[farm.TASK_QUEUE] == "engine:2"


def test_it_runs_anywhere_if_its_data_are_nowhere(three: Three) -> None:
    assert three.conditional[0].decide(near_to(7))[0] is not None


def test_only_engines_that_may_run_it_count(three: Three) -> None:
    three.keep(1, 7, 100)
    fields, puts = three.conditional[0].decide(near_to(7, targets=[0, 2]))
    assert fields is not None
    fields, puts = three.conditional[0].decide(near_to(7, refused=[0, 2]))
    assert fields is None
    assert [put.fields[0] for put in puts] == ["task"]  # nobody else may take it over


class Store:
    """The large data of an engine's host."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def has(self, payload: Any) -> bool:
        return {ref.name for ref in refs_in(payload)} <= set(self.names)


MB = 1 << 20
LARGE = f"{'0' * 32}-{5 * MB}"


def on_hosts(three: Three, *names: str) -> None:
    """The engines serve on these hosts."""
    for id_, name in enumerate(names):
        [old] = three.space.find(("engine", id_, ANY, ANY))
        del three.space.tuples[old]
        three.put(farm.registration(id_, SESSIONS[id_], {"host_id": name}))


def with_large_argument(*hosts: str) -> Sequence[Any]:
    """A task with an argument of 5 MiB, which is on these hosts."""
    payload = _native.Object("pickle+data", [f"farm\n= {LARGE} store\n".encode(), b""])
    terms = Conditions(hosts=[(host, 5 * MB) for host in hosts])
    return farm.task("any", CLIENT, 9, "name", farm.APPLY, "digest", payload, conditions=terms).fields


def test_a_task_with_large_arguments_is_passed_on_to_the_host_that_has_them(three: Three) -> None:
    on_hosts(three, "here", "there", "elsewhere")
    assert three.conditional[1].decide(with_large_argument("there"))[0] is not None
    fields, (passed, late) = three.conditional[0].decide(with_large_argument("there"))
    assert fields is None
    assert passed.fields[farm.TASK_QUEUE] == "engine:1"
    assert late.fields == LATE
    assert three.conditional[0].decide(with_large_argument("nowhere"))[0] is not None


def test_a_task_with_large_arguments_runs_where_they_have_come_to_meanwhile(three: Three) -> None:
    """Of a map over one large array, the other host fetches it once, and has it for the rest."""
    on_hosts(three, "here", "there", "there")
    for data, runs in ((Store(LARGE), True), (Store(), False)):
        mine = Conditional(three.sessions[0], 0, data)  # type: ignore[arg-type]
        assert (mine.decide(with_large_argument("there"))[0] is not None) is runs


def test_a_task_follows_a_large_result_to_its_host(three: Three) -> None:
    on_hosts(three, "here", "there", "there")
    three.put(farm.result(CLIENT, 7, farm.OK, [1, SESSIONS[1], 0.0, 0.0], None))
    three.put(farm.data_use(LARGE, CLIENT, 7, farm.RESULT))
    fields, (passed, _) = three.conditional[0].decide(near_to(7))
    assert fields is None
    assert passed.fields[farm.TASK_QUEUE] in ("engine:1", "engine:2")
    for engine in (1, 2):  # they have the same store
        assert three.conditional[engine].decide(near_to(7))[0] is not None
    # A kept value counts as well, and engines that have gone do not.
    three.keep(0, 8, 6 * MB)
    assert three.conditional[0].decide(near_to(7, 8))[0] is not None
    three.put(farm.result(CLIENT, 6, farm.OK, [5, "", 0.0, 0.0], None))
    three.put(farm.data_use(LARGE, CLIENT, 6, farm.RESULT))
    assert three.conditional[2].decide(near_to(6))[0] is not None


def waiting_at(three: Three, engine: int, state: str = "ready", **conditions: Any) -> int:
    """A task that waits for that engine; its tuple's id."""
    terms = read(near_to(7, **conditions)[farm.TASK_PAYLOAD][3])
    put = farm.passed_on(near_to(7), terms, farm.Engine(engine, SESSIONS[engine], {}))
    three.put(put)
    [id_] = three.space.find(put.fields)
    if state != "ready":
        three.space.states[id_] = state
    return id_


def tasks(three: Three) -> list[str]:
    found = three.space.find(farm.tasks_form(CLIENT, 9))
    return [three.space.tuples[id_][farm.TASK_QUEUE] for id_ in found]


LATE = ("late", "any", CLIENT, 9)


def take_over(three: Three, engine: int) -> list[Any]:
    """What is put in the place of `late`."""
    return [put.fields for put in three.conditional[engine].take_over(LATE)]


def test_an_engine_that_is_free_takes_over_what_has_waited(three: Three) -> None:
    waiting_at(three, 1)
    assert take_over(three, 2) == [LATE]  # it may hold something long that comes before
    assert tasks(three) == ["engine:2"]
    [id_] = three.space.find(farm.tasks_form(CLIENT, 9))
    fields, puts = three.conditional[2].decide(three.space.tuples[id_])
    assert fields is not None  # and runs there, wherever its data are
    assert puts == []


def test_what_has_begun_stays(three: Three) -> None:
    waiting_at(three, 1, "started")
    assert take_over(three, 2) == []
    assert tasks(three) == ["engine:1"]


@pytest.mark.parametrize(("engine", "state"), [(2, "ready"), (1, "reserved")])
def test_what_is_here_or_is_not_given_back_in_time_is_looked_at_again(three: Three, engine: int, state: str) -> None:
    """It has not begun, so it must not wait for that engine as long as that may be busy."""
    waiting_at(three, engine, state)
    assert take_over(three, 2) == [LATE]
    assert tasks(three) == [f"engine:{engine}"]


def test_what_is_to_be_placed_anew_gets_a_late_of_its_own(three: Three) -> None:
    three.put(_native.Put(near_to(7)))
    assert take_over(three, 2) == []


def test_what_has_ended_is_not_there(three: Three) -> None:
    assert take_over(three, 2) == []


def test_an_engine_that_may_not_run_it_leaves_it_to_others(three: Three) -> None:
    waiting_at(three, 1, targets=[0, 1])
    assert take_over(three, 2) == [LATE]
    assert tasks(three) == ["engine:1"]
