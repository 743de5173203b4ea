"""Options of engines, sorted into those of the job, of the engines and of the launcher."""

from pathlib import Path
from typing import Any

import pytest
from linden_launchers import LaunchError
from linden_launchers.engine_options import EngineOptions, chosen_options, engine_options, read_mebibytes, read_seconds
from linden_launchers.job_options import JobOptions
from linden_launchers.profile import Profile, read_profile

GENERIC = {"submit": "q submit {script}"}


def test_options_are_sorted() -> None:
    asked = {"queue": "long", "walltime": "1:30:00", "memory": "8G", "prologue": ["module load x"], "directory": "/d"}
    found = engine_options("generic", {**asked, **GENERIC})
    assert found == EngineOptions(
        "generic",
        JobOptions(queue="long", walltime_s=5400, memory_mb=8192, prologue=("module load x",)),
        {"directory": Path("/d")},
        GENERIC,
    )
    assert not found.is_local
    assert engine_options("local", {}).is_local


def test_what_is_given_wins_over_the_site_profile_in_whatever_unit() -> None:
    profile = Profile(
        read_profile('engines = "slurm"\n[slurm]\nwalltime = "1h"\nqueue = "batch"\n[generic]\nsubmit = "x"', "f")
    )
    assert chosen_options(None, {"walltime_s": 90}, profile).job == JobOptions(walltime_s=90, queue="batch")
    assert chosen_options("generic", {}, profile).launcher == {"submit": "x"}
    assert chosen_options("local", {}, profile).is_local
    assert chosen_options(None, {}, Profile({})).is_local


def test_what_no_launcher_knows_is_refused() -> None:
    with pytest.raises(LaunchError, match=r"'slurm' does not take these options: .*'colour'"):
        engine_options("slurm", {"colour": "red"})
    with pytest.raises(TypeError, match=r"engines that are local have no option 'walltime_s'; they have python"):
        engine_options("local", {"walltime": 5})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (90, 90),
        ("90", 90),
        ("90s", 90),
        ("1.5h", 5400),
        ("2d", 172800),
        ("1:30", 5400),
        ("0:00:07", 7),
        ("1-01:00:00", 90000),
    ],
)
def test_walltimes(text: Any, seconds: int) -> None:
    assert read_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "mebibytes"), [(500, 500), ("500", 500), ("500M", 500), ("8 GiB", 8192), ("1t", 1 << 20)]
)
def test_memory(text: Any, mebibytes: int) -> None:
    assert read_mebibytes(text) == mebibytes


@pytest.mark.parametrize("wrong", ["soon", 0, -1, "1:", "1:2:3:4", None])
def test_what_is_no_walltime(wrong: Any) -> None:
    with pytest.raises(LaunchError, match=r"walltime is .* is wanted"):
        read_seconds(wrong)


@pytest.mark.parametrize("wrong", ["much", 0, "1k", None])
def test_what_is_no_memory(wrong: Any) -> None:
    with pytest.raises(LaunchError, match=r"memory is .* is wanted"):
        read_mebibytes(wrong)


def test_a_system_that_there_is_not() -> None:
    with pytest.raises(ValueError, match=r"engines is 'slrum'; the launchers that there are: .*'local'.*'slurm'"):
        engine_options("slrum", {})


def test_a_value_that_a_job_cannot_have() -> None:
    with pytest.raises(LaunchError, match=r"cores is 'many'"):
        engine_options("slurm", {"cores": "many"})
