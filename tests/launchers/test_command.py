"""Commands of batch systems: what they say is kept, and none of them can hang us."""

import os
import sys
import time
from pathlib import Path

import pytest
from linden_launchers.command import Command, CommandFailed, run


def python(code: str, **more: object) -> Command:
    return Command((sys.executable, "-c", code), **more)  # type: ignore[arg-type]


def test_all_that_it_says_is_kept() -> None:
    output = run(python("import sys; print('17'); print('careful', file=sys.stderr); sys.exit(3)"))
    assert (output.exit_code, output.stdout, output.stderr) == (3, "17\n", "careful\n")
    with pytest.raises(CommandFailed, match=r"ended with code 3\n  careful\n  17") as error:
        output.check()
    assert (error.value.exit_code, error.value.stdout, error.value.stderr) == (3, "17\n", "careful\n")


def test_it_gets_stdin_directory_and_environment(tmp_path: Path) -> None:
    code = "import os, sys; print(sys.stdin.read(), os.getcwd(), os.environ['A'], os.environ['LC_ALL'])"
    output = run(python(code, stdin="in", directory=tmp_path, environment={"A": "b"}))
    assert output.stdout == f"in {tmp_path} b C\n"


def test_a_program_that_is_not_there_is_told_with_the_path() -> None:
    with pytest.raises(CommandFailed, match=r"no-such-sbatch --parsable cannot be run: No such file.*PATH") as error:
        run(Command(("no-such-sbatch", "--parsable")))
    assert error.value.exit_code == 127


def test_a_command_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    """The grandchild holds the pipe, so that reading to its end would wait for it."""
    note = tmp_path / "pid"
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\n"
        "print('so far', flush=True)\n"
        "time.sleep(600)\n"
    )
    with pytest.raises(CommandFailed, match=r"did not end within 2 s and was killed\n  so far"):
        run(python(code), timeout_s=2)
    pid = int(note.read_text())
    deadline = time.monotonic() + 20
    while is_there(pid):
        assert time.monotonic() < deadline, "the grandchild still runs"
        time.sleep(0.01)


def is_there(pid: int) -> bool:
    """Whether it runs; who waits to be reaped by init does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_bytes_that_are_no_text_do_not_hide_the_rest() -> None:
    assert run(python(r"import sys; sys.stdout.buffer.write(b'17\xff\n')")).stdout == "17\ufffd\n"
