"""What space-admin says of itself: completion, man page and reference, none of which may go out of date."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from linden import _native

from tests.space.admin.harness import Admin


def commands(admin: Admin) -> list[str]:
    listed = admin.text("--help").split("\nSubcommands:\n")[1].split("\n\n")[0]
    return re.findall(r"^  (\S+)", listed, re.MULTILINE)


def options(help_text: str) -> set[str]:
    above = help_text.split("\nWHICH SERVER\n")[0]
    return set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", above, re.MULTILINE)) - {"--help"}


# ---- bash


class Bash:
    """Completes a line with the script, as bash does it."""

    def __init__(self, script: str, directory: Path) -> None:
        self.file = directory / "completion.bash"
        self.file.write_text(script)

    def complete(self, line: str, **environment: str) -> list[str]:
        """What could stand for the last word; a word is cut at : and = as bash cuts it."""
        words = [part for word in line.split(" ") for part in (re.split(r"([:=]+)", word) if word else [word])]
        words = [part for part in words if part] + ([""] if line.endswith(" ") else [])
        program = (
            f"source {shlex.quote(str(self.file))}\n"
            f"COMP_WORDS=({' '.join(map(shlex.quote, words))})\n"
            f"COMP_CWORD={len(words) - 1}\n"
            "_space_admin\n"
            "printf '%s\\n' \"${COMPREPLY[@]}\"\n"
        )
        done = subprocess.run(
            ["bash", "--norc", "-u", "-c", program],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
            env={**os.environ, **environment},
        )
        assert done.stderr == ""
        return done.stdout.split()


@pytest.fixture
def bash(admin: Admin, tmp_path: Path) -> Bash:
    return Bash(admin.text("completion", "bash"), tmp_path)


def test_bash_completes_commands_and_options(admin: Admin, bash: Bash) -> None:
    assert set(bash.complete("space-admin ")) == {*commands(admin), *options(admin.text("--help")), "--help"}
    assert bash.complete("space-admin que") == ["queues"]
    assert bash.complete("space-admin --json que") == ["queues"]
    for command in commands(admin):
        wanted = options(admin.text(command, "--help"))
        assert wanted <= set(bash.complete(f"space-admin {command} --")), command
    assert bash.complete("space-admin tuples --li") == ["--limit"]
    assert bash.complete("space-admin --space queues tuples --li") == ["--limit"]


def test_bash_completes_values(bash: Bash) -> None:
    assert bash.complete("space-admin tuples --state re") == ["ready", "reserved"]
    assert bash.complete("space-admin completion ") == [
        "bash", "zsh", "fish", "--spaces", *bash.complete("space-admin --")
    ]  # fmt: skip
    assert bash.complete("space-admin tuples --limit ") == []


def test_bash_completes_names_of_spaces_by_asking_the_server(admin: Admin, bash: Bash, client: _native.Client) -> None:
    client.open_space("other", create=True)
    client.open_space("$(touch pwned) x", create=True)
    where = f"--connection {admin.address}"
    assert bash.complete(f"space-admin {where} --space ") == ["other", "test"]
    assert bash.complete(f"space-admin {where} drop o") == ["other"]
    assert bash.complete("space-admin --space o", LINDEN_CONNECTION=admin.address) == ["other"]


def test_a_server_that_is_not_there_completes_nothing_and_says_nothing(bash: Bash, tmp_path: Path) -> None:
    assert bash.complete(f"space-admin --connection unix:{tmp_path}/none --space ") == []


def test_bash_completes_clusters_and_files(bash: Bash, tmp_path: Path) -> None:
    (tmp_path / "clusters" / "mine").mkdir(parents=True)
    assert bash.complete("space-admin --cluster-id m", LINDEN_HOME=str(tmp_path)) == ["mine"]
    assert bash.complete(f"space-admin --connection {tmp_path}/clu") == [f"{tmp_path}/clusters"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_name_every_command_and_option(admin: Admin, shell: str, tmp_path: Path) -> None:
    script = admin.text("completion", shell)
    for command in commands(admin):
        assert re.search(rf"\b{command}\b", script), command
        for option in options(admin.text(command, "--help")):
            assert option.removeprefix("--") in script
    file = tmp_path / "script"
    file.write_text(script)
    if program := shutil.which(shell):
        subprocess.run([program, "-n", str(file)], check=True, timeout=30)


def test_only_known_shells_are_completed(admin: Admin) -> None:
    assert admin.run("completion", "tcsh").returncode == 2
    assert "bash, zsh and fish" in admin.refused("completion", code=2)


# ---- Manual and reference


def test_the_man_page_has_every_command_and_option(admin: Admin) -> None:
    page = admin.text("--man")
    for title in ("NAME", "SYNOPSIS", "OPTIONS", "COMMANDS", "TUPLES AND TEMPLATES", "EXAMPLES", "EXIT CODES"):
        assert f"\n.SH {title}\n" in page
    plain = page.replace(r"\-", "-")
    for command in commands(admin):
        assert f"\n.SS {command}\n.B {command}" in plain
        part = plain.split(f"\n.SS {command}\n")[1].split("\n.S")[0]
        for option in options(admin.text(command, "--help")):
            assert rf"\fB{option}\fR" in part, (command, option)
    for option in options(admin.text("--help")):
        assert rf"\fB{option}\fR" in plain


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_the_man_page_is_roff(admin: Admin) -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww"],
        input=admin.text("--man"),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stderr == ""
    shown = re.sub(r".\x08|\x1b\[[0-9;]*m", "", done.stdout)  # bold, one way or the other
    assert "SPACE-ADMIN(1)" in shown
    assert r"escapes   \n \t \r \\ \" \' \xNN, and in text \uNNNN \UNNNNNNNN" in shown
    assert "${LINDEN_HOME:-~/.linden}/clusters/ID" in shown


def test_the_reference_has_every_command_and_option(admin: Admin, root: Path) -> None:
    page = (root / "docs/reference/space-admin.1.md").read_text()
    section = page.split("\n## Commands\n")[1].split("\n## Options\n")[0]
    described = dict(re.findall(r"`(\w+)([^`]*)`:", section))
    for command in commands(admin):
        assert command in described, command
        for option in options(admin.text(command, "--help")) - {"--watch"}:
            assert option in described[command], (command, option)
    for option in {*options(admin.text("--help")), "--watch"} - {"--version"}:
        assert f"`{option}" in page
