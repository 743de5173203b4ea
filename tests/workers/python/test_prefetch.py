"""How many tasks an engine holds: more of short ones, never more than two of long ones."""

from linden_engine.prefetch import CREDIT_MAX, CREDIT_MIN, Prefetch


def test_starts_small() -> None:
    assert Prefetch().credit == CREDIT_MIN


def test_short_tasks_raise_the_credit_in_a_few_steps() -> None:
    prefetch = Prefetch()
    changes = sum(prefetch.observe(0.00001) for _ in range(100))
    assert prefetch.credit == CREDIT_MAX
    assert changes <= 16


def test_one_long_task_lowers_it_at_once() -> None:
    prefetch = Prefetch()
    for _ in range(100):
        prefetch.observe(0.00001)
    assert prefetch.observe(1.0)
    assert prefetch.credit == CREDIT_MIN


def test_steady_tasks_cause_no_messages() -> None:
    prefetch = Prefetch()
    for _ in range(50):
        prefetch.observe(0.0002)
    assert not any(prefetch.observe(0.0002 * (1 + 0.1 * (index % 3))) for index in range(100))


def test_tasks_of_a_millisecond_lie_ready_for_longer_than_results_are_gathered() -> None:
    prefetch = Prefetch()
    for _ in range(50):
        prefetch.observe(0.001)
    assert 6 <= prefetch.credit <= 8
