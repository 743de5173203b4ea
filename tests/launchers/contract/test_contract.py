"""What every launcher promises, on every system that we have: real ones, and stand-ins for those that Debian does not have."""

import json
import re
import signal

import linden
import pytest
from linden_launchers.job_options import JobOptions
from linden_launchers.launcher import Job, JobState, JobStatus, LaunchError

from tests.launchers.contract.conftest import Contract

pytestmark = pytest.mark.timeout(300)  # a set-up that installs packages is part of the first test


def mul(a: int, b: int) -> int:
    return a * b


def test_engines_come_and_do_what_the_front_page_shows(contract: Contract) -> None:
    job = contract.start_and_wait(2)
    rc = contract.client
    assert rc.ids == [0, 1]
    assert rc[:].apply_sync(mul, 5, 6) == [30, 30]
    assert rc.load_balanced_view().map_sync(mul, range(1, 10), range(2, 11)) == [i * (i + 1) for i in range(1, 10)]
    status = contract.status(job)
    assert status.state is JobState.RUNNING
    assert status.count(JobState.RUNNING) == contract.system.members(2)


def test_engines_that_are_stopped_are_gone_and_known_to_be(contract: Contract) -> None:
    job = contract.start_and_wait(2)
    status = contract.launcher.stop(job)
    assert status.is_over, str(status)
    contract.wait_ids([])
    contract.wait_status(job, lambda status: status.is_over)  # accounting may know of the end a little later
    assert contract.launcher.stop(job).is_over, "a second stop finds nothing to do"


def test_a_second_set_scales_up_and_its_end_scales_down(contract: Contract) -> None:
    contract.start_and_wait(1)
    more = contract.start_and_wait(2)
    assert contract.client.ids == [0, 1, 2]
    assert contract.launcher.stop(more).is_over
    contract.wait_ids([0])
    assert contract.client[0].apply_sync(mul, 2, 3) == 6


@pytest.mark.needs("members")  # engines of one MPI program end together
def test_one_member_is_stopped_and_the_others_serve_on(contract: Contract) -> None:
    job = contract.start_and_wait(2)
    status = contract.launcher.stop(job, [1])
    assert set(status.members) == {1}
    assert status.is_over, str(status)
    left = contract.wait_status(job, lambda status: status.members[1].state.is_over)
    assert left.members[0].state is JobState.RUNNING
    contract.wait_until(lambda: len(contract.client.ids) == 1, "one engine serves")
    assert contract.client.load_balanced_view().apply_sync(mul, 2, 3) == 6


def wait_for_signal(number: int) -> int:
    """Runs in an engine's main thread; the engine's own handler is back afterwards."""
    import signal
    import time

    from linden.datapub import publish_data

    came: list[int] = []  # no lock: a handler runs in the middle of whatever holds it, also in that of another handler
    before = signal.signal(number, lambda received, _frame: came.append(received))
    try:
        publish_data({"listens": True})
        while not came:
            time.sleep(0.01)  # a handler runs between two of these
    finally:
        signal.signal(number, before)
    return number


@pytest.mark.needs("signals")
def test_a_signal_reaches_each_engine(contract: Contract) -> None:
    job = contract.start_and_wait(2)
    result = contract.client[:].apply_async(wait_for_signal, int(signal.SIGUSR1))
    contract.wait_until(lambda: all(data.get("listens") for data in result.data), "both engines listen")
    contract.launcher.signal(job, signal.SIGUSR1)
    assert result.get(timeout=30) == [signal.SIGUSR1, signal.SIGUSR1]


def test_the_log_has_what_an_engine_says_of_itself(contract: Contract) -> None:
    job = contract.start_and_wait(1)
    contract.wait_until(lambda: "registered" in contract.launcher.log(job), "the engine says that it is registered")


def crash() -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)


def test_an_engine_that_crashes_ends_as_failed_and_its_task_says_so(contract: Contract) -> None:
    job = contract.start_and_wait(1)
    with pytest.raises(linden.error.EngineError):
        contract.client[0].apply_sync(crash)
    contract.wait_failed(job)


def test_an_engine_that_finds_no_server_is_failed_with_the_reason_in_its_log(contract: Contract) -> None:
    job = contract.start(1, address="unix:/tmp/linden-nobody.sock", arguments=("--timeout", "0.5"))
    contract.wait_failed(job)
    # By ssh it is the socket of a tunnel which nobody answers.
    assert re.search(r"/tmp/linden-\w+\.sock", contract.launcher.log(job, lines=40))


def test_any_process_can_go_on_with_a_job_that_was_written_down(contract: Contract) -> None:
    job = contract.start_and_wait(1)
    again = Job.from_dict(json.loads(json.dumps(job.to_dict())))
    other = contract.system.launcher()
    assert other.status([again])[again].state is JobState.RUNNING
    assert other.stop(again).is_over
    contract.wait_ids([])


@pytest.mark.needs("pending")
def test_what_finds_no_room_is_pending_with_a_reason_and_can_be_cancelled(contract: Contract) -> None:
    room = contract.system.room
    job = contract.start(room + 2)
    contract.wait_for_engines(room, job)
    says_why = "reasons" in contract.system.can

    def is_told(status: JobStatus) -> bool:  # a scheduler may know the reason only when it looks the next time
        return status.count(JobState.PENDING) == 2 and (not says_why or bool(status.reasons(JobState.PENDING)))

    status = contract.wait_status(job, is_told)
    assert status.count(JobState.RUNNING) == room
    assert contract.launcher.stop(job).is_over
    contract.wait_ids([])


@pytest.mark.needs("refuses")
def test_a_submission_that_is_refused_says_why_in_the_systems_own_words(contract: Contract) -> None:
    with pytest.raises(LaunchError, match=r"(?i)nowhere|queue|partition"):
        contract.start(1, job=JobOptions(queue="nowhere"))
