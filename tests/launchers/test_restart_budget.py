"""A process that dies again and again is given up; one that dies now and then is not."""

from linden_launchers.restart_budget import RestartBudget


def test_the_first_restarts_are_at_once_and_the_next_ones_wait_longer() -> None:
    budget = RestartBudget(times=6)
    pauses = [budget.pause_s(now) for now in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)]
    assert pauses == [0.0, 0.0, 0.0, 0.0, 0.05, 0.1]


def test_a_large_budget_pauses_for_two_seconds_at_most() -> None:
    budget = RestartBudget(times=1000)
    assert max(budget.pause_s(0.0) or 0.0 for _ in range(1000)) == 2.0


def test_gives_up_when_the_minute_is_full() -> None:
    budget = RestartBudget(times=2, within_s=60)
    assert [budget.pause_s(now) is None for now in (0.0, 1.0, 2.0)] == [False, False, True]


def test_old_deaths_are_forgotten() -> None:
    budget = RestartBudget(times=1, within_s=60)
    assert [budget.pause_s(now) for now in (0.0, 60.0, 120.0)] == [0.0, 0.0, 0.0]


def test_none_allowed_is_none_given() -> None:
    assert RestartBudget(times=0).pause_s(0.0) is None
