"""When an engine in a batch job takes no further task, and when it gives back the one that runs."""

from linden_engine.walltime import Walltime


def test_an_engine_leaves_some_time_before_the_end() -> None:
    assert Walltime.ending(3600, leave_before_s=120, now=1000) == Walltime(leave=4480, over=4590)


def test_a_short_job_still_does_some_work() -> None:
    assert Walltime.ending(60, leave_before_s=120, now=0) == Walltime(leave=30, over=50)
    assert Walltime.ending(8, leave_before_s=120, now=0) == Walltime(leave=4, over=4)


def test_what_is_over_is_over_at_once() -> None:
    assert Walltime.ending(-5, leave_before_s=120, now=0) == Walltime(leave=-5, over=-5)
