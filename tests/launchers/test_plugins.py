"""Launchers by name, ours and those of other packages."""

from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import linden_launchers.plugins as plugins
import pytest
from linden_launchers.batch import BatchLauncher
from linden_launchers.command import Command, CommandFailed, Output, Run
from linden_launchers.engine_options import check_system
from linden_launchers.launcher import LaunchError
from linden_launchers.plugins import launcher_names, load_launcher, load_system

from tests.launchers.engine_sets import ARRAY


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package has two entry points, one of which is broken."""
    points = [
        EntryPoint("ours", "linden_launchers.systems.slurm:Slurm", plugins.GROUP),
        EntryPoint("broken", "no_such_module:Launcher", plugins.GROUP),
    ]
    monkeypatch.setattr(plugins, "_entry_points", lambda: points)


def test_a_batch_system_gets_a_launcher() -> None:
    assert isinstance(load_launcher("slurm", {"cluster": "blue"}), BatchLauncher)
    assert load_system("slurm", {"cluster": "blue"}).cancel  # the same, to look at its script


def test_a_launcher_can_be_loaded_again_from_what_a_job_says() -> None:
    launcher = load_launcher("generic", {"submit": "mysub {script}"})
    assert isinstance(launcher, BatchLauncher)
    assert launcher.system.name == "generic"


def test_other_packages_bring_launchers_by_entry_point(others: None) -> None:
    assert {"ours", "broken", "slurm"} <= set(launcher_names())
    assert isinstance(load_launcher("ours"), BatchLauncher)


def test_a_plugin_that_is_broken_is_named(others: None) -> None:
    with pytest.raises(
        LaunchError, match=r"launcher 'broken' \(no_such_module:Launcher\) cannot be loaded.*no_such_module"
    ):
        load_launcher("broken")


def test_a_name_that_nobody_has_is_told_with_those_that_there_are() -> None:
    with pytest.raises(LaunchError, match=r"there is no launcher 'slrum'; there are .*slurm"):
        load_launcher("slrum")


def test_an_option_that_it_does_not_take_is_told_with_those_that_it_does() -> None:
    with pytest.raises(
        LaunchError, match=r"launcher 'slurm' does not take these options: .*'partition'; it knows cluster"
    ):
        load_launcher("slurm", {"partition": "long"})


def saying(stdout: str = "", stderr: str = "", exit_code: int = 0) -> Run:
    def run(command: Command) -> Output:
        assert command.argv == ("qstat", "--version")
        return Output(command, exit_code, stdout, stderr)

    return run


def test_pbs_is_whichever_of_its_kind_is_here() -> None:
    """Their arrays are written differently; on Slurm there are none whose members can be asked for."""
    pro = load_launcher("pbs", run=saying("pbs_version = 2022.1.1\n"))
    torque = load_launcher(
        "pbs", run=saying(stderr="Version: 6.1.2\nCommit: 661e092552de43a785c15d39a3634a541d86898e\n")
    )
    slurm = load_launcher("pbs", run=saying(stderr="Unknown option: version\nUsage:\n    qstat [-f]\n", exit_code=2))
    assert [one.system.name for one in (pro, torque, slurm) if isinstance(one, BatchLauncher)] == [
        "pbspro",
        "torque",
        "torque",
    ]
    assert load_system("pbs", run=saying("pbs_version = 2022.1.1\n")).name == "pbspro"
    array = replace(ARRAY, log_directory=Path("/log"))
    assert "#PBS -t 0-2" in load_system("pbs", run=saying(stderr="Version: 6.1.2\n")).render(array).text
    on_slurm = load_system("pbs", run=saying(stderr="Unknown option: version\nUsage:", exit_code=2))
    assert len(on_slurm.render(array).companions) == 2


def test_a_pbs_that_does_not_say_what_it_is_is_an_error() -> None:
    with pytest.raises(CommandFailed, match='use "pbspro" or "torque" in place of "pbs"'):
        load_launcher("pbs", run=saying("hello"))


def test_other_packages_are_looked_at_only_for_names_that_are_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading what all of them declare takes a good part of a cluster's start."""

    def entry_points() -> list[EntryPoint]:
        raise AssertionError("nobody needs them")

    monkeypatch.setattr(plugins, "_entry_points", entry_points)
    for name in ("local", "slurm", "pbs", "ssh"):
        assert check_system(name) == name
    monkeypatch.setattr(plugins, "_entry_points", list)
    with pytest.raises(ValueError, match="engines is 'slrum'; the launchers that there are: 'generic', 'htcondor'"):
        check_system("slrum")
