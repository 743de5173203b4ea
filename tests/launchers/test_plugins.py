"""Launchers by name, ours and those of other packages."""

from importlib.metadata import EntryPoint

import linden_launchers.plugins as plugins
import pytest
from linden_launchers.batch import BatchLauncher
from linden_launchers.launcher import LaunchError
from linden_launchers.plugins import launcher_names, load_launcher, load_system


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
