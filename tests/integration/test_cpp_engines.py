"""space-worker: functions in C++, called from Python on a real farm."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import linden
import numpy
import pytest
from linden.error import EngineError, NoSuchFunction, RemoteError, TaskAborted
from linden_launchers.server_command import find_program

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "build" / "tests" / "workers" / "cpp" / "plugins"
FUNCTIONS = str(PLUGINS / "test_functions.so")
TIMEOUT_S = 30

Farm = Callable[..., tuple[Any, linden.Client]]
native = linden.native


class Worker:
    """A space-worker of a test's own."""

    def __init__(self, rc: linden.Client, *options: str, log: Path) -> None:
        self._rc = rc
        before = {engine.id for engine in rc.engines()}
        command = [find_program("space-worker"), "--connection", rc.connection.address, "--hold", "0.2", *options]
        self._log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=file)
        wait_for(lambda: {engine.id for engine in rc.engines()} - before or self.process.poll() is not None, TIMEOUT_S)
        assert self.process.poll() is None, self.log()
        (self.id,) = {engine.id for engine in rc.engines()} - before

    def log(self) -> str:
        return self._log.read_text()

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(TIMEOUT_S)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


def wait_for(condition: Callable[[], Any], seconds: float = TIMEOUT_S) -> None:
    from tests.integration.conftest import wait_for as wait

    wait(condition, seconds)


Work = Callable[..., Worker]


@pytest.fixture
def work(scratch: Path) -> Iterator[Work]:
    """``work(rc, *options)`` starts a space-worker with the functions of the tests."""
    made: list[Worker] = []

    def make(rc: linden.Client, *options: str, load: str = FUNCTIONS) -> Worker:
        made.append(Worker(rc, "--load", load, *options, log=scratch / f"worker{len(made)}.log"))
        return made[-1]

    yield make
    for worker in made:
        worker.end(signal.SIGKILL)


@pytest.fixture
def rc(farm: Farm) -> linden.Client:
    """A client of a farm without engines."""
    return farm(0)[1]


# ---- calling


def test_calls_give_plain_values(rc: linden.Client, work: Work) -> None:
    work(rc, "--threads", "2")
    view = rc.load_balanced_view()
    assert view.apply_sync(native("mul"), 6, 7) == 42
    for value in (None, True, -1, 2**63 - 1, 1.5, "text", b"\0bytes", [1, [2.0, None, ["x"]]], []):
        assert view.apply_sync(native("same"), value) == value
    assert view.apply_sync(native("nothing")) is None
    assert view.apply_sync(native("count"), *range(10)) == 10
    assert view.map_sync(native("mul"), range(100), range(100)) == [n * n for n in range(100)]
    assert view.map_sync(native("mul"), range(100), range(100), chunksize=7) == [n * n for n in range(100)]
    assert view.map_sync(native("mul"), range(1000), range(1000), chunksize="auto") == [n * n for n in range(1000)]
    assert list(view.imap(native("mul"), range(10), range(10))) == [n * n for n in range(10)]
    assert view.executor.submit(native("mul"), 3, 4).result(TIMEOUT_S) == 12


def test_arrays_are_arguments_and_results(rc: linden.Client, work: Work) -> None:
    work(rc)
    view = rc.load_balanced_view()
    for shape in [(), (0,), (5,), (300, 400)]:
        array = numpy.arange(numpy.prod(shape, dtype=int), dtype=float).reshape(shape)
        back = view.apply_sync(native("scaled"), array, 2.0)
        assert back.shape == shape
        assert (back == 2 * array).all()
    assert view.apply_sync(native("scaled"), numpy.arange(12.0).reshape(3, 4).T, 1.0).tolist()[1] == [1, 5, 9]
    several = view.map_sync(native("scaled"), [numpy.ones(n) for n in range(5)], [3.0] * 5, chunksize=2)
    assert [part.tolist() for part in several] == [[3.0] * n for n in range(5)]
    with pytest.raises(RemoteError, match="wanted an array of dtype <f8, found one of <f4"):
        view.apply_sync(native("scaled"), numpy.zeros(3, "f4"), 2.0)


def test_large_arrays_and_bytes_go_by_reference_both_ways(rc: linden.Client, work: Work, scratch: Path) -> None:
    work(rc)
    view = rc.load_balanced_view()
    array = numpy.arange(400_000, dtype="f8")
    back = view.apply_sync(native("scaled"), array, 2.0)
    assert (back == array * 2).all()
    assert (view.map_sync(native("scaled"), [array, back], [1.0, 0.5])[1] == array).all()
    blob = b"x" * (3 << 20)
    assert view.apply_sync(native("same"), blob) == blob
    assert view.map_sync(native("same"), [blob, b"small"]) == [blob, b"small"]
    assert next(space for space in rc.connection.spaces() if space["name"] == "farm")["bytes"] < 1 << 20
    assert len(list((scratch / "shm").glob("linden-*/kept/*"))) >= 2
    rc.purge_everything()
    del back
    wait_for(lambda: rc.space.count(("data", str, str, int, str)) == 0)


def test_a_direct_view_calls_one_engine_or_all_in_cpp(farm: Farm, work: Work) -> None:
    _, rc = farm(1)
    first, second = work(rc).id, work(rc, "--threads", "1").id
    assert rc.ids == [0], "those that run Python"
    assert [engine.is_native for engine in rc.engines()] == [False, True, True]
    assert rc.direct_view(first).apply_sync(native("mul"), 6, 7) == 42
    result = rc.direct_view([first, second]).apply_async(native("mul"), 6, 7)
    assert result.get(TIMEOUT_S) == [42, 42]
    assert result.engine_id == [first, second]
    assert rc.direct_view("all").apply_sync(native("mul"), 6, 7) == [42, 42]
    assert rc.direct_view([first, second]).map_sync(native("mul"), range(9), range(9)) == [n * n for n in range(9)]
    assert rc[:].apply_sync(abs, -1) == [1], "Python goes where Python runs"
    assert rc.load_balanced_view().map_sync(abs, [-1, -2]) == [1, 2]


def test_what_an_engine_cannot_run_is_refused(farm: Farm, work: Work) -> None:
    _, rc = farm(1)
    worker = work(rc)
    with pytest.raises(TypeError, match=f"engine {worker.id} runs functions in C"):
        rc.direct_view(worker.id).apply_async(abs, -1)
    with pytest.raises(TypeError, match=f"engine {worker.id} runs functions in C"):
        rc.direct_view(worker.id).execute("1")
    with pytest.raises(TypeError, match="engine 0 runs Python"):
        rc[0].apply_async(native("mul"), 1, 2)
    with pytest.raises(TypeError, match="engine 0 runs Python"):
        rc.load_balanced_view(targets=[0]).apply_async(native("mul"), 1, 2)
    with pytest.raises(TypeError, match="no keyword arguments, found b"):
        rc.load_balanced_view().apply_async(native("mul"), 1, b=2)
    with pytest.raises(TypeError, match="wait for no others"):
        rc.load_balanced_view(timeout=1).apply_async(native("mul"), 1, 2)
    with pytest.raises(linden.NotPlain, match="argument 1 of mul is or contains a dict"):
        rc.load_balanced_view().apply_async(native("mul"), 1, {})
    with pytest.raises(linden.NotPlain, match=r"AsyncResult.*get"):
        rc.load_balanced_view().apply_async(native("mul"), 1, rc[0].apply_async(abs, 1))


# ---- failing


def test_errors_say_what_was_wrong_and_the_engine_lives_on(rc: linden.Client, work: Work) -> None:
    worker = work(rc)
    view = rc.load_balanced_view()
    with pytest.raises(RemoteError, match="TooLarge: 7 is too large") as caught:
        view.apply_sync(native("fail"), "7 is too large")
    assert caught.value.engine_info["engine_id"] == worker.id
    assert caught.value.engine_info["method"] == "fail"
    with pytest.raises(TypeError, match="wanted 2 arguments, found 1"):
        view.apply_sync(native("mul"), 1)
    with pytest.raises(TypeError, match=r"argument 1: .*int"):
        view.apply_sync(native("mul"), 1, 2.0)
    with pytest.raises(TypeError, match="the result cannot be sent"):
        view.apply_sync(native("bad_text"))
    with pytest.raises(NoSuchFunction, match=r"'divide' in C.*; there are .*mul"):
        view.apply_async(native("divide"), 1, 2)
    with pytest.raises(NoSuchFunction, match="has no function 'divide'"):
        rc.direct_view(worker.id).apply_sync(native("divide"), 1, 2)
    outcome = view.map_async(native("mul"), [1, "x", 3], [1, 2, 3], chunksize=3, return_exceptions=True).get(TIMEOUT_S)
    assert outcome[0] == 1
    assert isinstance(outcome[1], TypeError)
    assert outcome[2] == 9
    assert view.apply_sync(native("mul"), 6, 7) == 42
    assert worker.process.poll() is None


# F1
def test_f1_a_crash_is_the_death_of_its_engine_and_says_which_function(rc: linden.Client, work: Work) -> None:
    worker = work(rc, "--threads", "1")
    result = rc.load_balanced_view(retries=0).apply_async(native("crash"))
    with pytest.raises(EngineError, match="crash was started up to 1 times, and each time its engine died"):
        result.get(TIMEOUT_S)
    assert worker.end() == -signal.SIGSEGV
    assert f"SIGSEGV in function 'crash', task {result.msg_id}" in worker.log()
    # With a direct view the engine is named.
    worker = work(rc)
    with pytest.raises(EngineError, match=f"engine {worker.id} died before it had finished crash"):
        rc.direct_view(worker.id).apply_async(native("crash")).get(TIMEOUT_S)
    work(rc)
    assert rc.load_balanced_view().apply_sync(native("mul"), 6, 7) == 42


# F1
def test_f1_what_a_killed_engine_had_begun_runs_elsewhere(rc: linden.Client, work: Work, scratch: Path) -> None:
    first = work(rc, "--threads", "1")
    marker = scratch / "marker"
    view = rc.load_balanced_view()
    result = view.apply_async(native("wait"), str(marker))
    others = view.map_async(native("mul"), range(20), range(20))
    wait_for(marker.exists)
    first.end(signal.SIGKILL)
    second = work(rc, "--threads", "1")
    wait_for(lambda: marker.read_text() == "begun\nbegun\n")
    Path(f"{marker}.go").touch()
    assert result.get(TIMEOUT_S) == "gone on"
    assert result.engine_id == second.id
    assert others.get(TIMEOUT_S) == [n * n for n in range(20)]


# F4
def test_f4_what_has_not_begun_goes_to_whoever_is_idle(rc: linden.Client, work: Work, scratch: Path) -> None:
    first = work(rc, "--threads", "1")
    marker = scratch / "marker"
    view = rc.load_balanced_view()
    view.map_sync(native("mul"), range(300), range(300))  # short tasks: it holds many ahead
    blocked = view.apply_async(native("wait"), str(marker))
    behind = view.map_async(native("mul"), range(20), range(20))
    wait_for(marker.exists)
    second = work(rc, "--threads", "1")
    assert behind.get(TIMEOUT_S) == [n * n for n in range(20)]
    assert set(behind.engine_id) == {second.id}
    Path(f"{marker}.go").touch()
    assert blocked.get(TIMEOUT_S) == "gone on"
    assert blocked.engine_id == first.id


# F4
def test_f4_what_has_not_begun_on_a_thread_goes_to_an_idle_one(rc: linden.Client, work: Work, scratch: Path) -> None:
    work(rc, "--threads", "2")
    marker = scratch / "marker"
    view = rc.load_balanced_view()
    view.map_sync(native("mul"), range(300), range(300))  # short tasks: each thread holds many ahead
    blocked = view.apply_async(native("wait"), str(marker))
    behind = view.map_async(native("mul"), range(50), range(50))
    assert behind.get(TIMEOUT_S) == [n * n for n in range(50)]
    Path(f"{marker}.go").touch()
    assert blocked.get(TIMEOUT_S) == "gone on"


def test_tasks_for_one_engine_run_side_by_side_on_its_threads(rc: linden.Client, work: Work, scratch: Path) -> None:
    worker = work(rc, "--threads", "2")
    view = rc.direct_view(worker.id)
    marker = scratch / "marker"
    blocked = view.apply_async(native("wait"), str(marker))
    wait_for(marker.exists)
    assert view.apply_async(native("mul"), 6, 7).get(TIMEOUT_S) == 42
    Path(f"{marker}.go").touch()
    assert blocked.get(TIMEOUT_S) == "gone on"


# ---- cancelling, output, records


# F6
def test_f6_a_task_that_runs_is_cancelled_and_so_is_one_behind_it(rc: linden.Client, work: Work, scratch: Path) -> None:
    worker = work(rc, "--threads", "1")
    marker = scratch / "marker"
    view = rc.load_balanced_view()
    running = view.apply_async(native("wait"), str(marker))
    behind = view.apply_async(native("wait"), str(scratch / "never"))
    wait_for(marker.exists)
    assert behind.cancel()
    assert running.cancel()
    with pytest.raises(TaskAborted, match=f"cancelled on engine {worker.id}"):
        running.get(TIMEOUT_S)
    with pytest.raises(TaskAborted):
        behind.get(TIMEOUT_S)
    assert marker.read_text() == "begun\ncancelled\n"
    assert not (scratch / "never").exists()
    assert view.apply_sync(native("mul"), 6, 7) == 42


# F5
def test_f5_what_a_task_prints_is_there_with_its_result(rc: linden.Client, work: Work) -> None:
    work(rc, "--threads", "2")
    result = rc.load_balanced_view().apply_async(native("print"), "line", 20_000)
    assert result.get(TIMEOUT_S) == 20_000
    assert result.stdout == "".join(f"line {n}\n" for n in range(20_000))
    assert result.stderr == "done\n"


def test_results_keep_their_tasks_and_tasks_run_again(rc: linden.Client, work: Work) -> None:
    worker = work(rc)
    result = rc.load_balanced_view(label="product").apply_async(native("mul"), 6, 7)
    assert result.get(TIMEOUT_S) == 42
    (record,) = rc.db_query({"msg_id": result.msg_id})
    assert record["metadata"]["function"] == "mul"
    assert record["engine_uuid"] == next(e.session for e in rc.engines() if e.id == worker.id)
    assert record["completed"] >= record["started"] >= record["submitted"]
    assert record["label"] == "product"
    assert rc.resubmit(result.msg_id).get(TIMEOUT_S) == 42
    status = rc.queue_status(worker.id)
    assert status == {"queue": 0, "completed": 2, "tasks": 0}


def test_retries_run_a_failed_task_again(rc: linden.Client, work: Work) -> None:
    work(rc)
    result = rc.load_balanced_view(retries=2).apply_async(native("fail"), "again")
    with pytest.raises(RemoteError, match="again"):
        result.get(TIMEOUT_S)
    (record,) = rc.db_query({"msg_id": result.msg_id})
    assert record["metadata"]["retries"] == 0, "both were used"


def test_parallel_loops_of_a_task_run_on_the_engines_arena(rc: linden.Client, work: Work) -> None:
    work(rc, "--threads", "1", "--concurrency", "3")
    view = rc.load_balanced_view()
    assert view.apply_sync(native("threads_of_a_loop"), 3) == 3
    assert view.map_sync(native("sum"), [1000] * 20) == [499500.0] * 20


# ---- tags


def test_tags_choose_engines_and_what_nobody_has_waits(farm: Farm, work: Work) -> None:
    _, rc = farm(1)
    plain, tagged = work(rc), work(rc, "--tag", "gpu", "--tag", "big")
    view = rc.load_balanced_view(tags="gpu")
    result = view.map_async(native("mul"), range(20), range(20))
    assert result.get(TIMEOUT_S) == [n * n for n in range(20)]
    assert set(result.engine_id) == {tagged.id}
    python = view.apply_async(abs, -1)
    both = rc.load_balanced_view(tags=["huge", "big"]).apply_async(native("mul"), 6, 7)
    assert rc.queue_status(plain.id) == {"queue": 0, "completed": 0, "tasks": 0}
    status = rc.queue_status()
    assert status["unassigned"] == 2
    assert status["unserved"] == {"any+gpu": 1, "native+big+huge": 1}
    assert rc.queue_status(verbose=True)["unserved"] == {"any+gpu": [python.msg_id], "native+big+huge": [both.msg_id]}
    late = work(rc, "--tag", "huge", "--tag", "big")
    assert both.get(TIMEOUT_S) == 42
    assert both.engine_id == late.id
    engine = [sys.executable, "-m", "linden_engine", "--connection", rc.connection.address, "--tag", "gpu", "--quiet"]
    process = subprocess.Popen(engine, stdin=subprocess.DEVNULL)
    try:
        assert python.get(TIMEOUT_S) == 1
        (id_,) = (e.id for e in rc.engines() if e.info["pid"] == process.pid)
        assert python.engine_id == id_
        assert next(e for e in rc.engines() if e.id == id_).tags == ["gpu"]
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)
    with pytest.raises(ValueError, match="both targets"):
        rc.load_balanced_view(targets=[0], tags="gpu").apply_async(abs, 1)
    with pytest.raises(ValueError, match="a tag has"):
        rc.load_balanced_view(tags="a b")


# ---- the program


def test_engines_in_cpp_leave_when_told_to(rc: linden.Client, work: Work) -> None:
    worker = work(rc, "--name", "calculator")
    (engine,) = rc.engines()
    assert engine.info["name"] == "calculator"
    assert "mul" in engine.functions
    rc.shutdown(targets=worker.id)
    assert worker.process.wait(TIMEOUT_S) == 0
    assert not rc.engines()
    worker = work(rc)
    assert worker.end() == 0
    wait_for(lambda: not rc.engines(), 5)


def test_a_restart_gives_a_new_id_in_the_same_process(rc: linden.Client, work: Work) -> None:
    worker = work(rc)
    pid = worker.process.pid
    rc.shutdown(targets=worker.id, restart=True)
    (engine,) = rc.engines()
    assert engine.id > worker.id
    assert engine.info["pid"] == pid
    assert rc.load_balanced_view().apply_sync(native("mul"), 6, 7) == 42


# Its session is still known when it is back, but what lived with it has gone after the hold time.
def test_an_engine_that_was_away_for_too_long_joins_anew(farm: Farm, work: Work) -> None:
    cluster, rc = farm(0)
    worker = work(rc)
    worker.process.send_signal(signal.SIGSTOP)
    cluster.restart_server()  # which counts its absence from now on
    wait_for(lambda: not rc.engines())
    worker.process.send_signal(signal.SIGCONT)
    wait_for(lambda: [engine.id for engine in rc.engines()] == [worker.id + 1])
    assert rc.direct_view(worker.id + 1).apply_sync(native("mul"), 6, 7) == 42
    assert "taken this engine for dead" in worker.log()


def test_it_stops_with_its_parent(rc: linden.Client, work: Work) -> None:
    parent = subprocess.Popen(["sleep", "60"])
    worker = work(rc, "--parent-pid", str(parent.pid))
    parent.kill()
    parent.wait()
    assert worker.process.wait(TIMEOUT_S) == 0


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [find_program("space-worker"), *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env=os.environ | environment,
        check=False,
    )


@pytest.mark.parametrize(
    ("library", "says"),
    [
        (str(PLUGINS / "no_plugin.so"), "does not export linden_plugin"),
        (str(PLUGINS / "wrong_version.so"), "compiled for version 2 of plug-ins, and this program has version 1"),
        ("/nowhere/lib.so", "cannot be loaded: /nowhere/lib.so"),
        (__file__, "cannot be loaded"),
    ],
)
def test_a_library_that_is_none_is_named(library: str, says: str) -> None:
    ended = run("--load", library, "--list")
    assert ended.returncode == 4
    assert ended.stderr.startswith(f"space-worker: {library}: ")
    assert says in ended.stderr


def test_a_library_that_is_loaded_twice_has_its_names_taken() -> None:
    ended = run("--load", FUNCTIONS, "--load", FUNCTIONS, "--list")
    assert ended.returncode == 4
    assert "'mul' is registered already" in ended.stderr


def test_options(scratch: Path) -> None:
    assert run("--load", FUNCTIONS, "--list").stdout.split()[:3] == ["bad_text", "count", "crash"]
    assert run("--version").stdout == f"space-worker {linden.__version__}\n"
    assert "--concurrency" in run("--help").stdout
    assert run().returncode == 2
    assert run("--load", FUNCTIONS, "--tag", "a b").returncode == 2
    assert run("--load", FUNCTIONS, "--threads", "-1").returncode in (1, 2)
    ended = run("--load", FUNCTIONS, "--connection", str(scratch / "none.json"), "--timeout", "0.1")
    assert ended.returncode == 1
    assert "no connection file" in ended.stderr
    (scratch / "bad.json").write_text("{}")
    ended = run("--load", FUNCTIONS, "--connection", str(scratch / "bad.json"))
    assert ended.returncode == 1
    assert "has no address" in ended.stderr


def test_it_finds_the_running_cluster(farm: Farm, work: Work, scratch: Path) -> None:
    cluster, rc = farm(0)
    worker = subprocess.Popen(
        [find_program("space-worker"), "--connection", str(cluster.connection_file), "--load", FUNCTIONS, "--quiet"],
        stdin=subprocess.DEVNULL,
    )
    try:
        wait_for(rc.engines)
        assert rc.load_balanced_view().apply_sync(native("mul"), 6, 7) == 42
    finally:
        worker.terminate()
        assert worker.wait(TIMEOUT_S) == 0
