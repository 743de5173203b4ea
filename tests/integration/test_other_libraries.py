"""joblib, scikit-learn and dask on engines give what they give at home."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import linden
import pytest
from linden_launchers import LaunchError, LocalCluster, RunningCluster

Farm = Callable[..., tuple[LocalCluster, Any]]


@pytest.fixture
def joblib() -> Iterator[Any]:
    """joblib, with the backends that it had before the test."""
    import joblib
    import joblib.parallel as parallel

    backends, default = dict(parallel.BACKENDS), parallel.DEFAULT_BACKEND
    yield joblib
    parallel.BACKENDS.clear()
    parallel.BACKENDS.update(backends)
    parallel.DEFAULT_BACKEND = default


def where(_number: int = 0) -> int:
    return os.getpid()


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def reciprocal(number: int) -> float:
    return 1 / number


# ---- joblib


def test_grid_search_gives_the_same_on_engines_as_at_home(farm: Farm, joblib: Any) -> None:
    from sklearn.datasets import load_iris
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    _cluster, rc = farm(2)
    x, y = load_iris(return_X_y=True)
    grid = {"C": [0.1, 1, 10], "gamma": [0.01, 0.1, 1]}
    here = GridSearchCV(SVC(), grid, cv=3).fit(x, y)
    rc.load_balanced_view().register_joblib_backend()
    with joblib.parallel_config(backend="linden"):
        there = GridSearchCV(SVC(), grid, cv=3).fit(x, y)
    assert len(rc.history) > 2  # it did run there
    assert there.best_params_ == here.best_params_
    assert there.best_score_ == here.best_score_
    for name in ("mean_test_score", "std_test_score", "rank_test_score", "split0_test_score"):
        assert (there.cv_results_[name] == here.cv_results_[name]).all()
    assert (there.predict(x) == here.predict(x)).all()


def test_large_arguments_that_joblib_repeats_go_by_reference(farm: Farm, joblib: Any) -> None:
    import numpy

    _cluster, rc = farm(2)
    value = numpy.ones(3 << 20, dtype=numpy.uint8)
    rc.load_balanced_view().register_joblib_backend()
    with joblib.parallel_config(backend="linden"):
        sums = joblib.Parallel()(joblib.delayed(numpy.sum)(value) for _ in range(6))
    assert sums == [value.sum()] * 6
    assert next(space for space in rc.connection.spaces() if space["name"] == "farm")["bytes"] < 1 << 20
    wait_until(lambda: rc.space.count(("data", str, str, int, "argument")) == 0)


@pytest.mark.parametrize("name", ["linden", "ipyparallel"])
def test_joblib_runs_on_the_engines_of_a_view(farm: Farm, joblib: Any, name: str) -> None:
    _cluster, rc = farm(2)
    pids = set(rc[:].apply_sync(os.getpid))
    rc.load_balanced_view().register_joblib_backend()
    with joblib.parallel_config(backend=name):
        assert joblib.effective_n_jobs(-1) == 2
        assert joblib.effective_n_jobs(1) == 1
        found = joblib.Parallel()(joblib.delayed(where)(number) for number in range(50))
        assert set(found) <= pids
        assert joblib.Parallel(n_jobs=2)(joblib.delayed(pow)(number, 2) for number in range(500)) == [
            number**2 for number in range(500)
        ]
        with pytest.raises(ValueError, match="n_jobs == 0"):
            joblib.Parallel(n_jobs=0)(joblib.delayed(where)() for _ in range(2))


def test_an_error_of_a_joblib_call_is_of_its_own_type_and_others_are_dropped(farm: Farm, joblib: Any) -> None:
    _cluster, rc = farm(2)
    rc.load_balanced_view().register_joblib_backend()
    with joblib.parallel_config(backend="linden"), joblib.Parallel(n_jobs=2) as parallel:
        with pytest.raises(ZeroDivisionError):
            parallel(joblib.delayed(reciprocal)(number) for number in (1, 0, *range(2, 100)))
        assert parallel(joblib.delayed(reciprocal)(number) for number in (1, 2)) == [1.0, 0.5]


def test_joblib_is_not_told_of_a_batch_that_was_dropped(farm: Farm, scratch: Path) -> None:
    from linden.joblib import LindenBackend

    def batch() -> int:
        (scratch / "began").touch()
        deadline = time.monotonic() + 60
        while not (scratch / "go").exists():
            if time.monotonic() > deadline:
                raise TimeoutError("nobody lets it go on")
            time.sleep(0.01)
        return 1

    _cluster, rc = farm(1)
    backend = LindenBackend(rc.load_balanced_view())
    backend.configure(2)
    heard: list[Any] = []
    dropped = backend.submit(batch, heard.append)
    wait_until((scratch / "began").exists)
    backend.abort_everything()
    (scratch / "go").touch()
    assert dropped.get(timeout=30) == 1
    backend.submit(batch, heard.append).get(timeout=30)
    wait_until(lambda: len(heard) == 1)
    assert dropped not in heard


def total(values: Any, factor: int) -> tuple[float, bool]:
    return float(values.sum()) * factor, bool(values.flags.writeable)


def test_large_arguments_of_joblib_calls_are_put_once(farm: Farm, joblib: Any) -> None:
    import numpy as np

    _cluster, rc = farm(2)
    values = np.ones(1_000_000)
    rc.load_balanced_view().register_joblib_backend()
    form = ("payload", str, int, linden.ANY)
    told = rc.space.subscribe(form)
    with joblib.parallel_config(backend="linden"):
        found = joblib.Parallel(batch_size=1)(joblib.delayed(total)(values, factor=factor) for factor in range(20))
    assert found == [(1e6 * factor, False) for factor in range(20)]
    assert told.next(20) is not None
    assert told.next(0) is None
    assert rc.space.count(form) == 0
    # An argument of one call only travels with it.
    with joblib.parallel_config(backend="linden"):
        found = joblib.Parallel(batch_size=1)(joblib.delayed(total)(values + factor, factor=1) for factor in range(8))
    assert found == [(1e6 * (1 + factor), False) for factor in range(8)]
    assert told.next(0.1) is None
    told.close()


def inner(number: int) -> list[int]:
    import joblib

    return list(joblib.Parallel(n_jobs=2)(joblib.delayed(where)(item) for item in range(number)))


def test_parallel_calls_inside_of_parallel_calls_stay_in_their_engine(farm: Farm, joblib: Any) -> None:
    _cluster, rc = farm(2)
    pids = set(rc[:].apply_sync(os.getpid))
    rc.load_balanced_view().register_joblib_backend()
    with joblib.parallel_config(backend="linden"):
        for found in joblib.Parallel()(joblib.delayed(inner)(3) for _ in range(4)):
            assert len(found) == 3
            assert len(set(found)) == 1
            assert set(found) <= pids


def test_without_a_view_the_running_cluster_is_used_and_left_alone(farm: Farm, joblib: Any, home: Path) -> None:
    cluster, rc = farm(2, cluster_id="default")
    pids = set(rc[:].apply_sync(os.getpid))
    linden.register_joblib_backend()
    with joblib.parallel_config(backend="linden"):
        assert set(joblib.Parallel()(joblib.delayed(where)(number) for number in range(20))) <= pids
    assert len(cluster.engine_pids) == 2
    assert rc[:].apply_sync(len, "ab") == [2, 2]


# That nothing is left of it, neither processes nor files, is looked at for every test of this folder.
def test_without_a_view_and_a_cluster_one_is_started_and_stopped(joblib: Any, home: Path) -> None:
    linden.register_joblib_backend()
    with joblib.parallel_config(backend="linden"):
        found = joblib.Parallel(n_jobs=2)(joblib.delayed(where)(number) for number in range(20))
    assert os.getpid() not in found
    with pytest.raises(LaunchError, match="no cluster 'default'"):
        RunningCluster.find()


# ---- the executor


def test_an_executor_keeps_to_its_timeout_and_cancels_the_rest(farm: Farm, scratch: Path) -> None:
    _cluster, rc = farm(1)
    gate = str(scratch / "gate")
    with rc.executor() as executor:
        results = executor.map(wait_for_gate, [gate] * 5, timeout=0.3)
        with pytest.raises(TimeoutError, match="0 of 5"):
            next(results)
        open(gate, "w").close()
    counted = rc.result_status(rc.history)
    assert not counted["pending"]
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(where)


def wait_for_gate(gate: str) -> bool:
    import time

    open(f"{gate}.begun", "w").close()
    deadline = time.monotonic() + 30
    while not os.path.exists(gate) and time.monotonic() < deadline:
        time.sleep(0.01)
    return True


def test_shutdown_of_an_executor_waits_or_cancels(farm: Farm, scratch: Path, wait_for: Callable[..., None]) -> None:
    _cluster, rc = farm(1)
    gate = str(scratch / "gate")
    executor = rc.executor()
    running = executor.submit(wait_for_gate, gate)
    wait_for(lambda: os.path.exists(f"{gate}.begun"), 20)
    waiting = [executor.submit(where) for _ in range(3)]
    executor.shutdown(wait=False, cancel_futures=True)
    for future in waiting:
        with pytest.raises(linden.error.TaskAborted):
            future.result(20)
    open(gate, "w").close()
    executor.shutdown()
    assert running.done()
    assert running.result() is True


def test_an_executor_serves_asyncio(farm: Farm) -> None:
    _cluster, rc = farm(2)

    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        with rc.executor() as executor:
            return await asyncio.gather(*(loop.run_in_executor(executor, pow, 2, n) for n in range(8)))

    assert asyncio.run(main()) == [2**n for n in range(8)]
    with rc[:].executor as everywhere:
        assert everywhere.submit(len, "abc").result(20) == [3, 3]
        done, _ = concurrent.futures.wait([everywhere.submit(where)], timeout=20)
        assert len(done) == 1


# ---- dask


def test_a_dask_graph_gives_the_same_on_engines_as_at_home(farm: Farm) -> None:
    import dask

    _cluster, rc = farm(2)
    inc = dask.delayed(lambda x: x + 1)
    graph = dask.delayed(sum)([inc(number) * 2 for number in range(20)])
    here = graph.compute(scheduler="synchronous")
    pids = set(rc[:].apply_sync(os.getpid))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        client = rc.become_dask()
        assert graph.compute() == here == 420
        assert set(client.run(os.getpid).values()) == pids
        assert set(client.ncores().values()) == {1}
        assert rc[:].apply_sync(len, "ab") == [2, 2]  # the engines serve the farm meanwhile
        again = rc.become_distributed()
        assert len(again.scheduler_info()["workers"]) == 2
        rc.stop_dask()
    rc.stop_distributed()
    assert client.status == "closed"
    assert set(rc[:].apply_sync(os.getpid)) == pids


def test_dask_listens_on_loopback_only(farm: Farm) -> None:
    import psutil

    _cluster, rc = farm(1)
    rc.become_dask()
    pids = [os.getpid(), *rc[:].apply_sync(os.getpid)]
    listening = [c.laddr.ip for pid in pids for c in psutil.Process(pid).net_connections("tcp") if c.status == "LISTEN"]
    rc.stop_dask()
    assert listening
    assert set(listening) == {"127.0.0.1"}


def test_dask_workers_may_have_nannies(farm: Farm) -> None:
    _cluster, rc = farm(1)
    dask = rc.become_dask(nanny=True)
    pid = dask.submit(os.getpid).result(timeout=30)
    assert pid not in rc[:].apply_sync(os.getpid)
    rc.stop_dask()


def test_dask_ends_with_its_client(farm: Farm, wait_for: Callable[..., None]) -> None:
    cluster, rc = farm(1)
    with cluster.connect_client() as other:
        dask = other.become_dask(nthreads=2)
        assert dask.submit(pow, 2, 5).result(timeout=20) == 32
        assert list(dask.ncores().values()) == [2]
    assert dask.status == "closed"
    assert rc[0].apply_sync(len, "ab") == 2
    assert rc.become_dask().submit(pow, 2, 5).result(timeout=20) == 32  # a worker for another scheduler
    rc.stop_dask()
