"""When an engine in a batch job takes no further task, and when it gives back the one that runs."""

import time

import psutil
from linden_engine.__main__ import age_s
from linden_engine.walltime import Walltime


def test_an_engine_leaves_some_time_before_the_end() -> None:
    assert Walltime.ending(3600, leave_before_s=120, now=1000) == Walltime(leave=4480, over=4590)


def test_a_short_job_still_does_some_work() -> None:
    assert Walltime.ending(60, leave_before_s=120, now=0) == Walltime(leave=30, over=50)
    assert Walltime.ending(8, leave_before_s=120, now=0) == Walltime(leave=4, over=4)


def test_what_is_over_is_over_at_once() -> None:
    assert Walltime.ending(-5, leave_before_s=120, now=0) == Walltime(leave=-5, over=-5)


def test_a_walltime_is_counted_from_the_start_of_the_process() -> None:
    """One that starts over in its place keeps its age, so a restart of an engine does not make its job longer."""
    assert abs(age_s() - (time.time() - psutil.Process().create_time())) < 2.0
