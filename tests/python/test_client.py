"""linden.Client against a real farm: what needs engines, several clients, or time to pass."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

import linden
import pytest
from linden import Reference
from linden.error import CompositeError, EngineError, RemoteError, TaskAborted
from linden_launchers import LocalCluster
from live import cluster as cluster
from live import rc as rc


def test_ids_and_indexing(rc: linden.Client) -> None:
    ids = rc.ids
    assert len(rc) == len(ids) == 2
    assert rc[0].targets == ids[0]
    assert rc[-1].targets == ids[1]
    assert rc[:].targets == ids
    assert rc[[1, 0]].targets == [ids[1], ids[0]]
    assert [view.targets for view in rc] == ids
    with pytest.raises(IndexError, match="no engine at place 2"):
        rc[2]
    with pytest.raises(TypeError):
        rc["0"]  # type: ignore[index]
    with pytest.raises(IndexError, match="no engine 4711"):
        rc.direct_view([4711])


def test_scalars_and_lists(rc: linden.Client) -> None:
    pids = rc[:].apply_sync(os.getpid)
    assert len(set(pids)) == 2
    assert rc[0].apply_sync(os.getpid) == pids[0]
    assert rc[[0]].apply_sync(os.getpid) == [pids[0]]


def test_execute_push_and_pull(rc: linden.Client) -> None:
    view = rc[:]
    view.block = True
    view["x"] = 3
    view.execute("import math\ny = math.factorial(x)")
    assert view["y"] == [6, 6]
    assert view.apply(lambda: y + 1) == [7, 7]  # type: ignore[name-defined]  # noqa: F821
    reply = rc[0].execute("y * 2", silent=False, block=True)
    assert str(reply) == "12"
    with pytest.raises(CompositeError):
        view.execute("1 / 0")
    with pytest.raises(ZeroDivisionError):
        rc[0].execute("1 / 0", block=True)
    view.clear()
    with pytest.raises(NameError):
        rc[0].get("x")


def test_scatter_and_gather(rc: linden.Client) -> None:
    view = rc[:]
    view.scatter("part", range(7), block=True)
    assert view.apply_sync(sum, Reference("part")) == [6, 15]
    assert view.gather("part", block=True) == list(range(7))
    view.scatter("id", rc.ids, flatten=True, block=True)
    assert view["id"] == rc.ids


def test_arrays_travel_both_ways(rc: linden.Client) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(200_000.0)
    assert (rc[0].apply_sync(lambda a: a * 2, array) == array * 2).all()
    rc[:].scatter("a", array, block=True)
    assert (rc[:].gather("a", block=True) == array).all()


def test_output_of_a_running_task_is_seen(rc: linden.Client) -> None:
    """F5: before the task has ended."""

    def task() -> str:
        import sys
        import time

        print("begun")
        print("error", file=sys.stderr)
        time.sleep(2)
        print("done")
        return "value"

    result = rc.load_balanced_view().apply_async(task)
    deadline = time.monotonic() + 1.8
    while "begun" not in result.stdout and time.monotonic() < deadline:
        result.wait(0.02)
    assert result.stdout == "begun\n"
    assert not result.done()
    assert result.get(20) == "value"
    assert result.stdout == "begun\ndone\n"
    assert result.stderr == "error\n"


def test_a_failed_task_is_run_again_if_it_may(rc: linden.Client, tmp_path: Path) -> None:
    def task(log: str) -> int:
        with open(log, "a") as file:
            file.write("x")
        with open(log) as file:
            count = len(file.read())
        if count < 3:
            raise ValueError(count)
        return count

    view = rc.load_balanced_view().set_flags(retries=2)
    assert view.apply_sync(task, str(tmp_path / "a")) == 3
    with view.temp_flags(retries=1), pytest.raises(ValueError, match="2"):
        view.apply_sync(task, str(tmp_path / "b"))
    with view.temp_flags(retries=None), pytest.raises(ValueError, match="1"):
        view.apply_sync(task, str(tmp_path / "c"))


def test_a_map_whose_items_vary(rc: linden.Client) -> None:
    def uneven(x: int) -> int:
        import time

        if x % 100 == 0:
            time.sleep(0.02)
        return -x

    view = rc.load_balanced_view()
    assert view.map_sync(uneven, range(1000), chunksize="auto") == [-x for x in range(1000)]
    assert sorted(view.map_async(uneven, range(300), chunksize=7, ordered=False)) == [-x for x in range(299, -1, -1)]


def test_state_kept_by_global_statements(rc: linden.Client) -> None:
    source = "def init(v):\n    global kept\n    kept = v\n\ndef use():\n    return kept\n"
    script = (
        "import linden, sys\n" + source + "rc = linden.Client(sys.argv[1])\n"
        "rc[:].apply_sync(init, 5)\nprint(rc[:].apply_sync(use))\n"
    )
    done = _run(script, rc)
    assert done.stdout.strip() == "[5, 5]", done.stderr


def _run(script: str, rc: linden.Client) -> subprocess.CompletedProcess[str]:
    path = str(rc.cluster.connection_file)
    return subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, timeout=60, check=False)


def test_classes_of_a_script_come_back_as_they_went(rc: linden.Client) -> None:
    script = (
        "import linden, sys\n"
        "class Point:\n    def __init__(self, x): self.x = x\n"
        "def move(p): return Point(p.x + 1)\n"
        "rc = linden.Client(sys.argv[1])\n"
        "p = rc.load_balanced_view().apply_sync(move, Point(1))\n"
        "print(type(p) is Point, p.x)\n"
    )
    done = _run(script, rc)
    assert done.stdout.strip() == "True 2", done.stderr


def test_results_are_there_for_others_until_purged(rc: linden.Client, cluster: LocalCluster) -> None:
    """F3"""
    view = rc.load_balanced_view()
    result = view.apply_async(lambda: print("hello") or 5)
    id_ = result.msg_id
    assert result.get(20) == 5
    with cluster.connect_client() as other:
        fetched = other.get_result(id_)
        assert fetched.get(10) == 5
        assert fetched.stdout == "hello\n"
        assert other.result_status(id_)["completed"] == [id_]
    assert rc.results[id_] == 5
    assert rc.metadata[id_]["status"] == "ok"
    rc.purge_results(id_)
    with pytest.raises(KeyError, match="purged"):
        rc.get_result(id_)
    with pytest.raises(ValueError, match="name the jobs"):
        rc.purge_results()


def test_a_result_that_is_not_there_yet_can_be_fetched(rc: linden.Client, cluster: LocalCluster) -> None:
    result = rc.load_balanced_view().apply_async(time.sleep, 0.3)
    with cluster.connect_client() as other:
        fetched = other.get_result([result.msg_id])
        assert fetched.get(20) == [None]


def test_abort(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    running = [view.apply_async(time.sleep, 1.0) for _ in rc.ids]
    waiting = [view.apply_async(time.sleep, 1.0) for _ in range(6)]
    with pytest.raises(RuntimeError, match="no result yet"):
        rc.purge_results(waiting[0])
    rc.abort(waiting)
    for result in waiting:
        with pytest.raises(TaskAborted):
            result.get(20)
    for result in running:
        result.get(20)
    with pytest.raises(RuntimeError):
        running[0].abort()


def test_abort_of_a_map_in_progress(rc: linden.Client) -> None:
    result = rc.load_balanced_view().map_async(lambda _: time.sleep(0.05), range(400), chunksize="auto")
    result.wait(0.3)
    result.abort()
    with pytest.raises((TaskAborted, CompositeError)):
        result.get(20)
    values = result.get(return_exceptions=True)
    assert len(values) == 400
    assert isinstance(values[-1], TaskAborted)


def test_queue_status(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    results = [view.apply_async(time.sleep, 0.5) for _ in range(10)]
    status = rc.queue_status()
    assert set(status) == {*rc.ids, "unassigned"}
    held = sum(status[id_]["tasks"] for id_ in rc.ids)
    assert held + status["unassigned"] <= 10
    rc.abort(results)
    rc.wait(results)


def test_an_engine_that_dies_is_replaced_and_its_task_runs_again(rc: linden.Client, tmp_path: Path) -> None:
    def die_once(marker: str) -> str:
        import os

        if not os.path.exists(marker):
            with open(marker, "w"):
                os._exit(1)
        return "survived"

    assert rc.load_balanced_view().apply_sync(die_once, str(tmp_path / "marker")) == "survived"
    rc.wait_for_engines(2, timeout=30)


def test_a_task_that_kills_each_engine_is_given_up(rc: linden.Client) -> None:
    with pytest.raises(EngineError, match="3 times"):
        rc.load_balanced_view().apply_sync(os._exit, 1)
    rc.wait_for_engines(2, timeout=30)


def test_an_interrupted_task_is_an_error_and_the_engine_goes_on(rc: linden.Client) -> None:
    engine = rc[0]
    pid = engine.apply_sync(os.getpid)
    result = engine.apply_async(time.sleep, 20)
    deadline = time.monotonic() + 10
    while rc.queue_status(engine.targets)["tasks"] == 0 and time.monotonic() < deadline:
        result.wait(0.01)
    rc.send_signal(signal.SIGINT, engine.targets)
    with pytest.raises(RemoteError, match="KeyboardInterrupt"):
        result.get(20)
    assert engine.apply_sync(os.getpid) == pid


def test_futures_and_awaiting(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    futures = [view.apply_async(pow, number, 2) for number in range(20)]
    assert {future.result() for future in as_completed(futures, timeout=20)} == {n * n for n in range(20)}

    async def main() -> list[int]:
        return list(await asyncio.gather(*(view.apply_async(pow, number, 2) for number in range(20))))

    assert asyncio.run(main()) == [n * n for n in range(20)]
    with rc.executor() as executor:
        assert executor.submit(pow, 2, 3).result(20) == 8
        assert list(executor.map(pow, [1, 2], [3, 3])) == [1, 8]


def test_several_threads_wait_at_once(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    sums: list[int] = []

    def work(base: int) -> None:
        sums.append(sum(view.apply_sync(int, base + number) for number in range(25)))

    threads = [threading.Thread(target=work, args=(100 * index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(sums) == [300, 2800, 5300, 7800]


def test_imap_is_lazy(rc: linden.Client) -> None:
    def endless() -> Any:
        number = 0
        while True:
            yield number
            number += 1

    iterator = rc.load_balanced_view().imap(lambda x: 2 * x, endless())
    assert [next(iterator) for _ in range(10)] == [2 * x for x in range(10)]
    iterator.cancel()


def test_decorators(rc: linden.Client) -> None:
    view = rc[:]

    @view.remote(block=True)
    def pid() -> int:
        """A docstring."""
        import os

        return os.getpid()

    @view.parallel(block=True)
    def double(part: list[int]) -> list[int]:
        return [2 * x for x in part]

    assert len(set(pid())) == 2
    assert pid.__name__ == "pid"
    assert double(list(range(5))) == [0, 2, 4, 6, 8]
    assert rc.load_balanced_view().parallel(block=True)(lambda x: x + 1).map([1, 2]) == [2, 3]


def test_wait_interactive_shows_progress(rc: linden.Client, capfd: pytest.CaptureFixture[str]) -> None:
    result = rc.load_balanced_view().map_async(int, range(50), chunksize=5)
    result.wait_interactive()
    assert result.done()
    assert "50" in capfd.readouterr().err


def test_timings(rc: linden.Client) -> None:
    result = rc.load_balanced_view().map_async(lambda _: time.sleep(0.02), range(10))
    result.get(20)
    assert 0.2 <= result.serial_time < 2
    assert result.wall_time >= 0.08
    assert result.metadata[0].completed > result.metadata[0].started
    assert result.metadata[0].started.tzinfo is not None


def test_engines_at_work_hold_few_long_tasks(rc: linden.Client) -> None:
    """F4: what is not held can be done by whoever comes."""
    view = rc.load_balanced_view()
    results = view.map_async(time.sleep, [0.1] * 20)
    results.wait(0.3)
    held = sum(rc.queue_status()[id_]["tasks"] for id_ in rc.ids)
    assert held <= 4
    results.get(20)


def test_shutdown_of_one_engine(cluster: LocalCluster) -> None:
    with cluster.connect_client() as rc:
        rc.wait_for_engines(2, timeout=30)
        victim = rc.ids[0]
        rc.shutdown(victim)
        assert victim not in rc.ids
