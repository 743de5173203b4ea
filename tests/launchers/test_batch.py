"""BatchLauncher: what it asks, in which order, and what it believes.  A scheduler of a few lines answers in place of programs."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from linden_launchers.batch import BatchLauncher
from linden_launchers.command import Command, CommandFailed, Output
from linden_launchers.launcher import Job, JobState, LaunchError
from linden_launchers.systems.kubernetes import Kubernetes
from linden_launchers.systems.oar import Oar
from linden_launchers.systems.slurm import Slurm
from linden_launchers.systems.torque import Torque

from tests.launchers.engine_sets import ARRAY, PLAIN


class Programs:
    """Answers in place of Slurm's commands, and takes note of what was asked."""

    def __init__(self, **answers: object) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, command: Command) -> Output:
        self.asked.append(str(command))
        answer = self.answers.get(command.argv[0], "")
        if isinstance(answer, list):  # one after the other; the last for ever
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        code, stdout, stderr = answer if isinstance(answer, tuple) else (0, answer, "")
        return Output(command, code, stdout, stderr)

    def programs(self) -> list[str]:
        return [line.split()[0] for line in self.asked]


class Time:
    """Moves only when somebody sleeps."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def launcher(programs: Programs) -> BatchLauncher:
    time = Time()
    return BatchLauncher(Slurm(), run=programs, sleep=time.sleep, clock=time, stop_timeout_s=10)


def job(*ids: str, members: int = 1) -> Job:
    return Job("slurm", "1", ids, members)


NOT_THERE = (1, "", "slurm_load_jobs error: Invalid job id specified\n")
NO_ACCOUNTS = (1, "", "Slurm accounting storage is disabled\n")


def test_a_job_that_was_submitted_is_all_in_its_value(tmp_path: Path) -> None:
    started = launcher(Programs(sbatch="17\n")).start(replace(ARRAY, log_directory=tmp_path / "log"))
    assert (started.ids, started.members, started.engine_set) == (("17",), 3, "1")
    assert started.log == str(tmp_path / "log" / "engine-1-{index}.log")
    assert Job.from_dict(started.to_dict()) == started


def test_the_script_is_readable_by_its_user_only(tmp_path: Path) -> None:
    """It sets the environment that the user gave, which may hold secrets."""
    launcher(Programs(sbatch="17\n")).start(replace(PLAIN, log_directory=tmp_path))
    assert (tmp_path / "job-1.sh").stat().st_mode & 0o077 == 0


def test_a_refusal_is_told_in_the_systems_own_words(tmp_path: Path) -> None:
    programs = Programs(sbatch=(1, "", "sbatch: error: QOSMaxSubmitJobPerUserLimit\n"))
    with pytest.raises(CommandFailed, match=r"sbatch .*ended with code 1\n  sbatch: error: QOSMaxSubmitJob") as error:
        launcher(programs).start(replace(PLAIN, log_directory=tmp_path))
    assert error.value.stderr == "sbatch: error: QOSMaxSubmitJobPerUserLimit\n"


def test_a_job_that_was_submitted_by_a_command_that_failed_is_cancelled(tmp_path: Path) -> None:
    """No orphan: an id was printed, so there may be a job that nobody would know of."""
    programs = Programs(sbatch=(1, "17\n", "warning: the log is full\n"), squeue=["17|PENDING|None\n", NOT_THERE])
    with pytest.raises(CommandFailed, match=r"ended with code 1, but named 17, which we have cancelled"):
        launcher(programs).start(replace(PLAIN, log_directory=tmp_path))
    assert "scancel 17" in programs.asked


def test_of_several_jobs_of_which_one_was_refused_the_others_are_cancelled(tmp_path: Path) -> None:
    """Where there are no arrays each member is a job of its own."""
    programs = Programs(
        **{
            "/bin/sh": (1, "17\n18\n", "qsub: error: QOSMaxSubmitJobPerUserLimit\n"),
            "qstat": [_TWO_RUN, _GONE],
            "qdel": "",
        }
    )
    time = Time()
    torque = BatchLauncher(Torque(arrays=False), run=programs, sleep=time.sleep, clock=time, stop_timeout_s=10)
    with pytest.raises(CommandFailed, match="ended with code 1, but named 17, 18, which we have cancelled"):
        torque.start(replace(ARRAY, log_directory=tmp_path))
    assert "qdel 17 18" in programs.asked


_TWO_RUN = "".join(f"Job Id: {id}\n    Job_Name = linden\n    job_state = R\n\n" for id in (17, 18))
_GONE = (153, "", "qstat: Unknown Job Id 17\nqstat: Unknown Job Id 18\n")


def test_no_engines_are_no_job(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match="a job needs one at least"):
        launcher(Programs()).start(replace(PLAIN, n=0, log_directory=tmp_path))


def test_all_jobs_are_asked_for_at_once() -> None:
    programs = Programs(squeue="17|RUNNING|None\n18_0|PENDING|Resources\n18_1|RUNNING|None\n")
    first, second = job("17"), job("18", members=2)
    found = launcher(programs).status([first, second])
    assert programs.asked == ["squeue --noheader '--format=%i|%T|%r' --jobs=17,18"]
    assert found[first].state is JobState.RUNNING
    assert str(found[second]) == "1 running, 1 pending (Resources)"
    assert found[second].reasons(JobState.PENDING) == [("Resources", 1)]


def test_hundreds_of_ids_are_asked_for_in_chunks() -> None:
    programs = Programs(squeue="".join(f"{id}|RUNNING|None\n" for id in range(450)))
    launcher(programs).status([job(str(id)) for id in range(450)])
    assert programs.programs()[:3] == ["squeue"] * 3
    assert all(len(line.split(",")) <= 200 for line in programs.asked)


def test_what_the_queue_does_not_list_is_asked_of_the_accounts() -> None:
    programs = Programs(squeue="17|RUNNING|None\n", sacct="18|FAILED|3:0\n")
    first, second = job("17"), job("18")
    found = launcher(programs).status([first, second])
    assert str(found[second]) == "1 failed (exit code 3)"
    assert programs.asked[1].endswith("--jobs=18"), "of what is known nobody is asked twice"


def test_without_accounts_the_controllers_memory_is_asked() -> None:
    programs = Programs(
        squeue=NOT_THERE, sacct=NO_ACCOUNTS, scontrol="JobId=17 JobState=TIMEOUT Reason=TimeLimit ExitCode=0:15\n"
    )
    assert launcher(programs).status([job("17")])[job("17")].state is JobState.TIMEOUT


def test_what_nobody_knows_of_is_lost_and_never_done() -> None:
    programs = Programs(squeue="", sacct=NO_ACCOUNTS, scontrol=NOT_THERE)
    found = launcher(programs).status([job("17")])[job("17")]
    assert (found.state, found.is_over) == (JobState.LOST, False)
    assert "squeue does not list it; sacct: Slurm accounting storage is disabled" in str(found)


def test_a_queue_that_does_not_answer_says_nothing_of_its_jobs() -> None:
    """A controller that restarts must not make every job LOST."""
    programs = Programs(squeue=(1, "", "slurm_load_jobs error: Unable to contact slurm controller\n"))
    with pytest.raises(CommandFailed, match="Unable to contact"):
        launcher(programs).status([job("17")])


def test_cancelling_is_confirmed() -> None:
    programs = Programs(
        squeue=["17|RUNNING|None\n", "17|COMPLETING|None\n", NOT_THERE], sacct="17|CANCELLED by 0|0:0\n"
    )
    found = launcher(programs).stop(job("17"))
    assert found.state is JobState.CANCELLED
    assert programs.programs() == ["squeue", "scancel", "squeue", "squeue", "sacct"]


def test_what_was_cancelled_and_left_the_queue_has_ended_also_without_accounts() -> None:
    programs = Programs(squeue=["17|PENDING|None\n", NOT_THERE], sacct=NO_ACCOUNTS, scontrol=NOT_THERE)
    assert launcher(programs).stop(job("17")).state is JobState.CANCELLED


def test_what_was_lost_before_it_was_cancelled_is_not_said_to_have_ended() -> None:
    programs = Programs(squeue=NOT_THERE, sacct=NO_ACCOUNTS, scontrol=NOT_THERE)
    assert launcher(programs).stop(job("17")).state is JobState.LOST
    assert "scancel 17" in programs.asked, "it may run all the same"


def test_what_has_ended_is_not_cancelled() -> None:
    programs = Programs(squeue=NOT_THERE, sacct="17|COMPLETED|0:0\n")
    assert launcher(programs).stop(job("17")).state is JobState.DONE
    assert "scancel" not in programs.programs()


def test_a_job_that_does_not_end_is_an_error_with_what_the_command_said() -> None:
    programs = Programs(squeue="17|RUNNING|None\n", scancel=(1, "", "scancel: error: Kill job error: Access denied\n"))
    with pytest.raises(CommandFailed, match=r"did not end slurm job 17 within 10 s(.|\n)*Access denied"):
        launcher(programs).stop(job("17"))


def test_a_queue_that_is_silent_for_a_while_does_not_keep_us_from_cancelling() -> None:
    away = (1, "", "Unable to contact slurm controller\n")
    programs = Programs(squeue=[away, away, NOT_THERE], sacct="17|CANCELLED|0:0\n")
    assert launcher(programs).stop(job("17")).state is JobState.CANCELLED


def test_members_are_stopped_singly() -> None:
    programs = Programs(
        squeue=["17_0|RUNNING|None\n17_1|RUNNING|None\n", "17_0|RUNNING|None\n"], sacct="17_1|CANCELLED|0:0\n"
    )
    found = launcher(programs).stop(job("17", members=2), [1])
    assert "scancel 17_1" in programs.asked
    assert {index: one.state for index, one in found.members.items()} == {1: JobState.CANCELLED}


def test_signals_go_through_the_system() -> None:
    programs = Programs()
    launcher(programs).signal(job("17", members=3), signal.SIGUSR1, [2])
    assert programs.asked == ["scancel --signal=USR1 --batch 17_2"]
    launcher(programs).signal(job("17", members=3), signal.SIGUSR2)
    assert programs.asked[1] == "scancel --signal=USR2 --full 17", "the script does not hand that on"


def test_the_end_of_a_members_log_is_shown(tmp_path: Path) -> None:
    (tmp_path / "engine-1-2.log").write_text("ModuleNotFoundError: numpy\n")
    started = replace(job("17", members=3), log=str(tmp_path / "engine-1-{index}.log"))
    assert launcher(Programs()).log(started, 2) == "  ModuleNotFoundError: numpy"


def test_of_a_single_member_the_closest_word_counts() -> None:
    """Kubernetes says something of the job, and more of its only pod."""
    items = (
        '{"kind":"Job","metadata":{"name":"j"},"status":{}},{"kind":"Pod","metadata":{"name":"p","labels":{"job-name":"j"}},'
        '"status":{"phase":"Running"}}'
    )
    programs = Programs(kubectl=f'{{"items":[{items}]}}')
    single = Job("kubernetes", "1", ("j",))
    assert BatchLauncher(Kubernetes("linden"), run=programs).status([single])[single].state is JobState.RUNNING


def test_members_with_ids_of_their_own_are_stopped_by_these() -> None:
    jobs = '"17": {"state": "Running"}, "18": {"state": "%s", "events": [{"type": "FRAG_JOB_REQUEST"}]}'
    programs = Programs(oarstat=["{" + jobs % "Running" + "}", "{" + jobs % "Terminated" + "}"])
    found = BatchLauncher(Oar(), run=programs, sleep=lambda _: None).stop(Job("oar", "1", ("17", "18"), 2), [1])
    assert "oardel 18" in programs.asked
    assert found.members[1].state is JobState.CANCELLED
