"""space-cluster's options, and the commands that need neither server nor engines."""

import json
from pathlib import Path
from typing import Any

import pytest
from linden_launchers import cli
from linden_launchers.cli_logs import find_logs
from linden_launchers.cli_options import engine_options_of, given_options
from linden_launchers.cli_start import _bounds
from linden_launchers.launcher import LaunchError


@pytest.fixture(autouse=True)
def own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No profile and no cluster but those of the test."""
    monkeypatch.setenv("LINDEN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LINDEN_SITE_PROFILE", str(tmp_path / "site.toml"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parsed(*words: str) -> Any:
    return cli._parser().parse_args(["render", *words])


def test_engine_options_have_their_names_in_python(own_files: Path) -> None:
    (own_files / "t.sh").write_text("#!/bin/sh\n{{directives}}\n{{body}}\n")
    words = ["--queue", "long", "--cores", "4", "--engines-per-job", "2", "--prologue", "a", "--prologue", "b"]
    words += ["--directive-skip=--mem", "--template", "t.sh", "--environment", "A=b=c", "--hosts", "n1:4,n2"]
    assert given_options(parsed(*words, "--option", "job-id=$J", "--option", "tries=3", "--option", "flags=['x']")) == {
        "queue": "long",
        "cores": 4,
        "engines_per_job": 2,
        "prologue": ["a", "b"],
        "directive_skip": ["--mem"],
        "template": "#!/bin/sh\n{{directives}}\n{{body}}\n",
        "environment": {"A": "b=c"},
        "hosts": "n1:4,n2",
        "job_id": "$J",
        "tries": 3,
        "flags": ["x"],
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cores", "many"], "--cores is 'many'; a number is wanted"),
        (["--environment", "A"], "--environment is 'A'; NAME=VALUE is wanted"),
        (["--option", "=3"], "--option is '=3'; NAME=VALUE"),
        (["--template", "none.sh"], "cannot read --template none.sh"),
    ],
)
def test_options_that_make_no_sense(words: list[str], said: str) -> None:
    with pytest.raises(LaunchError, match=said):
        given_options(parsed(*words))


def test_a_system_that_there_is_not_is_an_error_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["render", "--engines", "slrum"]) == 1
    assert "engines is 'slrum'; the launchers that there are" in capsys.readouterr().err
    assert cli.main(["render"]) == 1
    assert "local engines are processes of this machine" in capsys.readouterr().err


def test_the_command_line_wins_over_the_site_profile(own_files: Path) -> None:
    (own_files / "site.toml").write_text('engines = "slurm"\n[slurm]\nqueue = "batch"\naccount = "a"\n')
    chosen = engine_options_of(parsed("--queue", "long"))
    assert (chosen.system, chosen.job.queue, chosen.job.account) == ("slurm", "long", "a")
    assert engine_options_of(parsed("--engines", "local")).is_local


def test_render_prints_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["render", "--engines", "slurm", "-n", "4", "--walltime", "1h"]) == 0
    script = capsys.readouterr().out
    assert script.startswith("#!/bin/sh\n#SBATCH")
    assert "--array=0-3" in script
    assert cli.main(["render", "--engines", "slurm", "-n", "4", "--walltime", "1h", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["script"] == script
    assert (report["engines"], report["job"]["walltime_s"]) == ("slurm", 3600)


def test_config_show_says_where_each_value_comes_from(own_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_files / "site.toml").write_text('[slurm]\nqueue = "batch"\naccount = "a"\n')
    (own_files / "linden.toml").write_text('[slurm]\nqueue = "mine"\n')
    assert cli.main(["config", "show", "--origin"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"# {own_files / 'site.toml'}"
    assert lines[1] == f"# {own_files / 'config/linden/site.toml'} (not there)"
    assert [line.split() for line in lines[3:]] == [
        ["slurm.account", "=", '"a"', "#", str(own_files / "site.toml")],
        ["slurm.queue", "=", '"mine"', "#", str(own_files / "linden.toml")],
    ]
    assert cli.main(["config", "show", "--json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["slurm.queue"] == {"value": "mine", "origin": str(own_files / "linden.toml")}


def test_a_profile_that_is_damaged_is_named(own_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own_files / "linden.toml").write_text("engines = ")
    assert cli.main(["config", "show"]) == 1
    assert f"space-cluster: {own_files / 'linden.toml'} is no TOML" in capsys.readouterr().err


def test_logs_are_shown_by_name_set_or_engine(own_files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["logs"]) == 3
    logs = own_files / "home" / "clusters" / "default" / "log"
    logs.mkdir(parents=True)
    for name in ("server", "engine-1-0", "engine-1-1", "engine-1+1-0", "engine-12-0"):
        (logs / f"{name}.log").write_text("".join(f"{name} says {number}\n" for number in range(3)))
    capsys.readouterr()

    def shown(*which: str) -> list[str]:
        assert cli.main(["logs", "--json", "--lines", "1", *which]) == 0
        return [log["name"] for log in json.loads(capsys.readouterr().out)]

    assert shown() == ["server", "engine 1+1-0", "engine 1-0", "engine 1-1", "engine 12-0"]
    assert shown("1") == ["engine 1+1-0", "engine 1-0", "engine 1-1"]
    assert shown("1-1", "server") == ["server", "engine 1-1"]
    assert cli.main(["logs", "--lines", "2", "server"]) == 0
    assert capsys.readouterr().out == f"==> server: {logs / 'server.log'} <==\nserver says 1\nserver says 2\n"
    assert cli.main(["logs", "7"]) == 1
    assert "no log of 7" in capsys.readouterr().err
    assert [log.lines for log in find_logs(logs.parent, 0)] == [[]] * 5


def test_commands_on_a_cluster_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["scale", "-n", "2"], ["status"], ["stop"], ["engines"]):
        assert cli.main(words) == 3, words
        assert "no cluster 'default' is running" in capsys.readouterr().err
    assert cli.main(["scale", "-n", "-2"]) == 2
    assert cli.main(["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.rpartition("engines, 0 or more")[2]) == []
    assert cli.main(["clean", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"cleaned": []}


def test_the_bounds_of_adapt() -> None:
    assert _bounds("2:64") == (2, 64)
    assert _bounds(None) == (0, 0)
    for wrong in ("2", "2:", ":4", "4:2", "0:0", "a:b"):
        with pytest.raises(LaunchError, match="MIN:MAX is wanted"):
            _bounds(wrong)
