"""Job scripts run by the shell, as a batch system would: which engines they start, what they hand on, how they end."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from linden_launchers.job_options import JobOptions
from linden_launchers.launcher import LaunchError
from linden_launchers.systems.slurm import Slurm

from tests.launchers.engine_sets import PLAIN

# Stands for `python -m linden_engine`: notes who it is, then does as the file `do` says, or waits for a signal.
ENGINE = """#!{python}
import os, signal, sys
names = ("LINDEN_CLUSTER_ID", "LINDEN_ENGINE_SET", "LINDEN_JOB_ID", "LINDEN_ARRAY_INDEX", "LINDEN_RANK")
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGTERM])
until = sys.argv[sys.argv.index("--until") + 1] if "--until" in sys.argv else ""
with open("engines", "a") as file:
    file.write(" ".join([os.environ[name] for name in names] + [until]) + "\\n")
if os.path.exists("exit"):
    sys.exit(int(os.environ["LINDEN_RANK"]) and int(open("exit").read()))
number = signal.sigwait([signal.SIGUSR1, signal.SIGTERM])
with open("signals", "a") as file:
    file.write(f"{{int(number)}}\\n")
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """``start(job options, n, environment)`` runs the script of such a set."""
    engine = tmp_path / "engine"
    engine.write_text(ENGINE.format(python=sys.executable))
    engine.chmod(0o755)
    started: list[subprocess.Popen[str]] = []

    def start(job: JobOptions, n: int = 1, **environment: str) -> subprocess.Popen[str]:
        engine_set = replace(PLAIN, n=n, job=job, python=str(engine), directory=tmp_path)
        given = {**os.environ, "SLURM_JOB_ID": "17", **environment}
        script = Slurm().render(engine_set).text
        process = subprocess.Popen(
            ["/bin/sh", "-c", script],
            env=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):  # engines, too, which a script that is wrong may have left
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=20)


def lines_of(path: Path, count: int) -> list[str]:
    """The lines of a file, once there are so many."""
    deadline = time.monotonic() + 20
    while not path.exists() or path.read_text().count("\n") < count:
        assert time.monotonic() < deadline, f"{path} has not got {count} lines"
        time.sleep(0.01)
    return sorted(path.read_text().splitlines())


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def test_engines_know_which_they_are(start: Start, tmp_path: Path) -> None:
    process = start(JobOptions(engines_per_job=2), 4, SLURM_ARRAY_JOB_ID="16", SLURM_ARRAY_TASK_ID="1")
    assert lines_of(tmp_path / "engines", 2) == ["bio 1 16 1 0 ", "bio 1 16 1 1 "]
    process.terminate()
    assert process.wait(20) == 0


def test_the_last_member_has_what_is_left(start: Start, tmp_path: Path) -> None:
    (tmp_path / "exit").write_text("0")
    assert start(JobOptions(engines_per_job=4), 5, SLURM_ARRAY_TASK_ID="1").wait(20) == 0
    assert lines_of(tmp_path / "engines", 1) == ["bio 1 17 1 0 "]


def test_usr1_and_term_reach_every_engine(start: Start, tmp_path: Path) -> None:
    """`--signal=B:USR1@120` goes to the shell alone."""
    for number in (signal.SIGUSR1, signal.SIGTERM):
        for name in ("engines", "signals"):
            (tmp_path / name).unlink(missing_ok=True)
        process = start(JobOptions(engines_per_job=2), 2)
        lines_of(tmp_path / "engines", 2)
        process.send_signal(number)
        assert process.wait(20) == 0
        assert lines_of(tmp_path / "signals", 2) == [str(int(number))] * 2


def test_a_signal_does_not_end_the_wait_for_an_engine_that_goes_on_when_another_has_left(
    start: Start, tmp_path: Path
) -> None:
    """The first finishes its task before it leaves; a shell that ended now would have it killed in the middle."""
    (tmp_path / "engine").write_text(
        '#!/bin/sh\n[ "$LINDEN_RANK" = 0 ] || { echo $$ >second; exit 0; }\n'
        'trap "echo 10 >>signals" USR1\ntrap "exit 5" TERM\necho >first\nwhile :; do sleep 0.02; done\n'
    )
    process = start(JobOptions(engines_per_job=2), 2)
    lines_of(tmp_path / "first", 1)
    second = Path("/proc", lines_of(tmp_path / "second", 1)[0])
    wait_until(lambda: not second.exists(), "the second has left, and the shell knows")
    process.send_signal(signal.SIGUSR1)
    lines_of(tmp_path / "signals", 1)
    process.terminate()
    assert process.wait(20) == 5, "the end of the first is what the shell has waited for"


def test_a_signal_that_comes_when_an_engine_has_just_ended_is_not_its_exit_code(start: Start, tmp_path: Path) -> None:
    """As the engine does that leaves at once when the walltime is nearly over: it has not failed."""
    (tmp_path / "engine").write_text(
        "#!/bin/sh\necho $$ >began.new; mv began.new began\nuntil test -e end; do sleep 0.02; done\n"
    )
    process = start(JobOptions())
    engine = Path("/proc", lines_of(tmp_path / "began", 1)[0], "stat")
    process.send_signal(signal.SIGSTOP)
    (tmp_path / "end").touch()
    wait_until(
        lambda: engine.read_text().rpartition(")")[2].split()[0] == "Z", "it has ended, and the shell cannot know"
    )
    process.send_signal(signal.SIGUSR1)
    process.send_signal(signal.SIGCONT)
    assert process.wait(20) == 0


def test_a_signal_reaches_an_engine_that_has_only_just_been_started(start: Start, tmp_path: Path) -> None:
    """The shell may not have noted its process id yet."""
    (tmp_path / "engine").write_text('#!/bin/sh\ntrap "exit 0" USR1\nkill -USR1 $PPID\nwhile :; do sleep 0.02; done\n')
    for _ in range(20):
        assert start(JobOptions()).wait(20) == 0


def test_the_exit_code_of_an_engine_is_that_of_the_job(start: Start, tmp_path: Path) -> None:
    (tmp_path / "exit").write_text("3")
    assert start(JobOptions(engines_per_job=2), 2).wait(20) == 3


def test_the_end_of_the_walltime_is_told_as_the_system_tells_it(start: Start, tmp_path: Path) -> None:
    (tmp_path / "exit").write_text("0")
    start(JobOptions(walltime_s=60), SLURM_JOB_END_TIME="1800000000").wait(20)
    assert lines_of(tmp_path / "engines", 1) == ["bio 1 17 0 0 1800000000"]


def test_where_the_system_does_not_tell_it_the_clock_does(start: Start, tmp_path: Path) -> None:
    (tmp_path / "exit").write_text("0")
    before = int(time.time())
    start(JobOptions(walltime_s=600)).wait(20)
    end = int(lines_of(tmp_path / "engines", 1)[0].split()[-1])
    assert before + 600 <= end <= int(time.time()) + 600


def test_prologue_and_epilogue_are_run_around_the_engines(start: Start, tmp_path: Path) -> None:
    (tmp_path / "exit").write_text("0")
    process = start(JobOptions(prologue=("echo before",), epilogue=('echo "after $status"',)))
    assert process.communicate(timeout=20)[0] == "before\nafter 0\n"


def test_a_directory_that_is_not_there_ends_the_job(start: Start, tmp_path: Path) -> None:
    script = Slurm().render(replace(PLAIN, directory=tmp_path / "gone", python="/bin/true")).text
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "gone" in done.stderr


def test_options_of_a_job_survive_json_and_refuse_what_they_do_not_know() -> None:
    options = JobOptions(walltime_s=60, prologue=("module load x",), options={"image": "linden"})
    assert JobOptions.from_dict(options.to_dict()) == options
    with pytest.raises(LaunchError, match="no such options of a job: walltime; there are account, "):
        JobOptions.from_dict({"walltime": 60})
    with pytest.raises(LaunchError, match="memory_mb is 0; an int of 1 or more is wanted"):
        JobOptions.from_dict({"memory_mb": 0})
