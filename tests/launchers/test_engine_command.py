"""The command line of an engine is a pure function of its set."""

from dataclasses import replace
from pathlib import Path

from linden_launchers.engine_command import as_member, engine_argv, engine_environment, script_directory
from linden_launchers.engine_set import EngineSet

SET = EngineSet(name="1", n=2, address="unix:/run/s", log_directory=Path("/log"), python="/usr/bin/python3")


def test_argv_names_server_space_and_hold() -> None:
    assert engine_argv(SET) == [
        *["/usr/bin/python3", "-m", "linden_engine", "--connection", "unix:/run/s", "--space", "farm", "--hold", "1"],
    ]


def test_argv_says_with_whom_the_engine_ends() -> None:
    assert engine_argv(replace(SET, parent_pid=7))[-2:] == ["--parent-pid", "7"]


def test_further_options_come_last() -> None:
    assert engine_argv(replace(SET, arguments=("--verbose",)))[-1] == "--verbose"


def test_a_hold_time_of_half_a_second_is_written_as_such() -> None:
    argv = engine_argv(replace(SET, hold_s=0.5))
    assert argv[argv.index("--hold") + 1] == "0.5"


def test_the_environment_of_the_set_wins() -> None:
    engine_set = replace(SET, environment={"A": "2"})
    assert engine_environment(engine_set, {"A": "1", "B": "1"}) == {"A": "2", "B": "1"}


def test_engines_import_what_the_script_imports() -> None:
    environment = engine_environment(SET, {"PYTHONPATH": "/b"}, python_path=["/a", "/b"])
    assert environment["PYTHONPATH"] == "/a:/b"


def test_an_engine_is_told_which_one_of_its_set_it_is() -> None:
    environment = as_member(replace(SET, cluster_id="bio"), {"A": "1"}, 3)
    assert environment == {"A": "1", "LINDEN_CLUSTER_ID": "bio", "LINDEN_ENGINE_SET": "1", "LINDEN_ARRAY_INDEX": "3"}


def test_a_cluster_within_a_job_is_not_taken_for_that_job() -> None:
    inherited = {"LINDEN_JOB_ID": "17", "LINDEN_ARRAY_INDEX": "9", "LINDEN_RANK": "2", "LINDEN_JOB_END": "1"}
    assert as_member(SET, inherited, 0) == {"LINDEN_ENGINE_SET": "1", "LINDEN_ARRAY_INDEX": "0"}


def test_the_directory_of_the_script_is_absolute(tmp_path: Path) -> None:
    assert script_directory([str(tmp_path), "/else"]) == [str(tmp_path)]
    assert script_directory([""]) == [str(Path.cwd())]
    assert script_directory([]) == []
    assert script_directory(["/usr/lib/python311.zip"]) == []


def test_each_engine_has_a_log_of_its_own() -> None:
    assert SET.log_of(0) != SET.log_of(1)
