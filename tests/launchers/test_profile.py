"""The site profile: which files, which of them wins, and what is refused."""

from pathlib import Path

import pytest
from linden_launchers import LaunchError
from linden_launchers.profile import Setting, load_profile, profile_files, read_profile

SITE = """
engines = "slurm"
[slurm]
queue = "batch"
walltime_s = 3600
prologue = ["module load python"]
[ssh]
hosts = { node1 = 4 }
"""


def test_a_table_holds_the_options_of_a_system(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE)
    profile = load_profile([tmp_path / "site.toml"])
    assert profile.engines == "slurm"
    assert profile.options("slurm") == {"queue": "batch", "walltime_s": 3600, "prologue": ["module load python"]}
    assert profile.options("ssh") == {"hosts": {"node1": 4}}
    assert profile.options("sge") == {}


def test_without_any_file_engines_are_local(tmp_path: Path) -> None:
    profile = load_profile([tmp_path / "none.toml"])
    assert profile.engines == "local"
    assert profile.settings == {}


def test_a_later_file_wins_value_by_value_and_origins_are_known(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(SITE)
    (tmp_path / "user.toml").write_text('[slurm]\nqueue = "mine"\nprologue = []\n')
    profile = load_profile([tmp_path / "site.toml", tmp_path / "user.toml"])
    assert profile.options("slurm") == {"queue": "mine", "walltime_s": 3600, "prologue": []}
    assert profile.origin("slurm", "queue") == str(tmp_path / "user.toml")
    assert profile.origin("slurm", "walltime_s") == str(tmp_path / "site.toml")
    assert profile.origin("slurm", "account") is None


def test_the_files_are_the_systems_the_users_and_the_nearest_of_the_project(tmp_path: Path) -> None:
    below = tmp_path / "project" / "source"
    below.mkdir(parents=True)
    environment = {"LINDEN_SITE_PROFILE": "/site.toml", "XDG_CONFIG_HOME": "/config"}
    assert profile_files(environment, below) == [Path("/site.toml"), Path("/config/linden/site.toml")]
    (tmp_path / "linden.toml").touch()
    (tmp_path / "project" / "linden.toml").touch()
    assert profile_files(environment, below)[2:] == [tmp_path / "project" / "linden.toml"]
    assert profile_files({"HOME": "/home/me"}, Path("/"))[:2] == [
        Path("/etc/linden/site.toml"),
        Path("/home/me/.config/linden/site.toml"),
    ]


def test_what_is_wrong_is_named_with_its_file() -> None:
    with pytest.raises(LaunchError, match=r"^/site.toml is no TOML: Invalid value"):
        read_profile("engines = ", "/site.toml")
    with pytest.raises(LaunchError, match=r"^/site.toml: 'queue' stands outside of a table"):
        read_profile('queue = "x"', "/site.toml")
    with pytest.raises(LaunchError, match=r"^/site.toml: engines is 3; a text"):
        read_profile("engines = 3", "/site.toml")
    assert read_profile('engines = "sge"', "f") == {"engines": Setting("sge", "f")}


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "site.toml").mkdir()
    with pytest.raises(LaunchError, match=r"cannot read the site profile"):
        load_profile([tmp_path / "site.toml"])
