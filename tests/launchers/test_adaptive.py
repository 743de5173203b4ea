"""When a farm grows and shrinks, in virtual time: the clock is a number."""

import pytest
from linden_launchers.adaptive import AdaptRules, Load, Memory, decide

RULES = AdaptRules(minimum=1, maximum=16, tasks_per_engine=2.0, wait_s=1.0, idle_s=30.0)


class Farm:
    """A farm that follows decisions: engines that were asked for come `start_s` later, those that are too many go at once."""

    def __init__(self, rules: AdaptRules, start_s: float = 5.0) -> None:
        self.rules = rules
        self.start_s = start_s
        self.now = 0.0
        self.serving = 0
        self.coming: list[float] = []
        self.memory = Memory()
        self.history: list[int] = []

    def look(self, waiting: int, waited_s: float = 10.0, busy: int | None = None) -> int:
        """One look; by default every engine that has work is busy."""
        self.now += 1.0
        self.serving += sum(moment <= self.now for moment in self.coming)
        self.coming = [moment for moment in self.coming if moment > self.now]
        engaged = min(self.serving, waiting) if busy is None else busy
        load = Load(self.now, self.serving, len(self.coming), engaged, max(0, waiting - engaged), waited_s)
        target, self.memory = decide(self.rules, load, self.memory)
        have = self.serving + len(self.coming)
        self.coming += [self.now + self.start_s] * max(0, target - have)
        gone = max(0, have - target)
        self.coming, gone = self.coming[gone:], max(0, gone - len(self.coming))
        self.serving -= gone
        self.history.append(target)
        return target


def test_an_empty_farm_starts_its_minimum_at_once_and_stays_there() -> None:
    farm = Farm(RULES)
    assert [farm.look(0) for _ in range(100)] == [1] * 100


def test_with_a_minimum_of_none_a_task_that_waits_starts_the_first_engine() -> None:
    farm = Farm(AdaptRules(0, 4))
    assert farm.look(0) == 0
    assert farm.look(1) == 1


def test_a_long_queue_doubles_the_engines_until_the_maximum_and_counts_those_that_are_coming() -> None:
    farm = Farm(RULES)
    assert [farm.look(1000) for _ in range(8)] == [1, 2, 4, 8, 16, 16, 16, 16]


def test_a_queue_asks_for_no_more_engines_than_it_can_keep_busy() -> None:
    farm = Farm(RULES)
    for _ in range(20):
        farm.look(8)
    assert farm.history[2] == 4  # two tasks for each, which may be enough
    assert max(farm.history) == 8  # it was not: a task for each, and never more than there are tasks


def test_tasks_that_have_hardly_waited_ask_for_nothing() -> None:
    farm = Farm(RULES)
    farm.look(0)
    assert [farm.look(50, waited_s=0.5) for _ in range(5)] == [1] * 5
    assert farm.look(50, waited_s=1.0) == 2


def test_idle_engines_stay_for_idle_s_and_then_go_to_what_was_needed_most_meanwhile() -> None:
    farm = Farm(RULES, start_s=0.0)
    while farm.serving < 16:
        farm.look(1000)
    for second in range(29):
        assert farm.look(0, busy=0) == 16
        if second == 10:
            assert farm.look(0, busy=5) == 16  # a burst within that time keeps five
    assert farm.look(0, busy=0) == 5
    shrunk_at = farm.now
    while farm.look(0, busy=0) == 5:
        assert farm.now - shrunk_at < 60
    assert farm.history[-1] == 1
    assert farm.now - shrunk_at >= 30


def test_bursts_with_pauses_that_are_shorter_than_idle_s_never_shrink_the_farm() -> None:
    farm = Farm(RULES, start_s=0.0)
    while farm.serving < 16:
        farm.look(1000)
    for _ in range(20):
        for _ in range(25):
            farm.look(0, busy=0)
        for _ in range(5):
            farm.look(1000)
    assert set(farm.history[-600:]) == {16}


def test_a_farm_beyond_its_maximum_shrinks_at_once() -> None:
    target, _ = decide(RULES, Load(0.0, serving=20, coming=3, busy=20, waiting=100, waited_s=9.0))
    assert target == 16


def test_engines_that_have_gone_are_asked_for_anew_up_to_the_minimum() -> None:
    target, _ = decide(AdaptRules(4, 8), Load(0.0, serving=1, coming=0, busy=1, waiting=0))
    assert target == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"minimum": 3, "maximum": 2},
        {"minimum": -1},
        {"maximum": 0},
        {"maximum": 2, "wait_s": -1.0},
        {"maximum": 2, "tasks_per_engine": 0},
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="wanted"):
        AdaptRules(**wrong)  # type: ignore[arg-type]
