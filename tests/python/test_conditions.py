"""Where a task may run, and where it had better: pure."""

from linden.conditions import Conditions, nearest, read


def test_conditions_come_back_from_their_text() -> None:
    conditions = Conditions(stages=[], follow=[], near=["c_1", "c_2"], hosts=[["a", 5]], placed=True)
    assert read(conditions.text) == conditions
    assert "near" not in Conditions().text


def test_the_nearest_engines_hold_most_of_the_data() -> None:
    assert nearest([0, 1, 2], {1: 10, 2: 7}) == [1]
    assert nearest([0, 2], {1: 10}) == [0, 2]
    assert nearest([0, 1, 2], {0: 5, 2: 5}) == [0, 2]
    assert nearest([3, 1], {}) == [3, 1]
    assert nearest([], {1: 1}) == []
