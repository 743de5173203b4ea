"""Tags: which engines take what, by names of queues."""

import re
from pathlib import Path

import pytest
from fake_native import FakeFarm
from in_memory import fake as fake
from in_memory import view as view
from linden import farm
from linden.conditions import read
from linden.housekeeping import is_served
from linden.kept import Kept
from linden.load_balanced_view import LoadBalancedView
from linden.task_queues import TAGS_MAX, checked_tags, queues_served, tagged, tags_of_queue


def engine(id_: int, **info: object) -> farm.Engine:
    return farm.Engine(id_, f"{id_:032}", info)


def test_an_engine_serves_its_queue_with_every_combination_of_its_tags() -> None:
    assert queues_served("any", []) == ["any"]
    assert sorted(queues_served("any", ["big", "gpu"])) == ["any", "any+big", "any+big+gpu", "any+gpu"]
    assert len(queues_served("native", [f"t{i}" for i in range(TAGS_MAX)])) == 2**TAGS_MAX


def test_an_engine_with_all_the_tags_it_may_have_asks_for_no_more_than_a_stream_may() -> None:
    limits = (Path(__file__).parents[2] / "space" / "core" / "limits.h").read_text()
    [templates_max] = re.findall(r"templates_max = (\d+);", limits)
    forms = farm.task_forms(0, checked_tags([f"t{i}" for i in range(TAGS_MAX)]))
    assert len(forms) <= int(templates_max)
    header = (Path(__file__).parents[2] / "api" / "include" / "linden" / "farm.h").read_text()
    assert f"kTagsMax = {TAGS_MAX};" in header


def test_a_queue_has_its_tags_in_order_and_gives_them_back() -> None:
    queue = tagged("any", checked_tags(["gpu", "big", "gpu"]))
    assert queue == "any+big+gpu"
    assert tags_of_queue(queue) == ["big", "gpu"]
    assert tags_of_queue("any") == []
    assert tags_of_queue("engine:3") == []


@pytest.mark.parametrize("tags", ["a b", "", ["x+y"], [1], ["t" * 33], ["t\n"], [f"t{i}" for i in range(6)]])
def test_what_is_no_tag_is_refused(tags: object) -> None:
    with pytest.raises(ValueError, match="tag"):
        checked_tags(tags)  # type: ignore[arg-type]


def test_a_queue_is_served_by_who_has_all_tags_and_speaks_the_language() -> None:
    engines = [engine(0), engine(1, tags=["gpu"]), engine(2, language="C++", tags=["big"])]
    assert is_served("any", engines)
    assert is_served("any+gpu", engines)
    assert not is_served("any+big", engines)
    assert not is_served("any+big+gpu", engines)
    assert is_served("native", engines)
    assert is_served("native+big", engines)
    assert not is_served("native+gpu", engines)
    assert not is_served("native", engines[:2])
    assert is_served("engine:7", engines)


def test_a_task_that_is_to_run_near_its_data_keeps_its_tags(fake: FakeFarm, view: LoadBalancedView) -> None:
    """It was passed on to whichever engine had the value."""
    view.tags = "gpu"
    view.apply_async(len, Kept(farm.message_id("c" * 32, 1), None, 0, "list of 3", 100))
    [task] = fake.hold()
    assert task[farm.TASK_QUEUE] == "any+gpu"
    assert read(task[farm.TASK_PAYLOAD][3]).tags == ["gpu"]
