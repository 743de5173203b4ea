"""What engines run before their first task: those that serve, those that come later, those that are started over."""

import builtins
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import linden
import pytest
from linden import farm, on_join, on_join_tuples
from linden.on_join import catch_up
from linden_launchers import Cluster

DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster(1, engine_hold=0.2, grace=2.0)
    cluster.start_cluster_sync()
    yield cluster
    cluster.stop_cluster_sync()


@pytest.fixture
def rc(cluster: Cluster) -> Iterator[linden.Client]:
    """A client of the cluster's one engine, which has never run anything on joining."""
    with cluster.connect_client_sync() as client:
        cluster.restart_engines_sync()
        deadline = time.monotonic() + DEADLINE_S
        # One that has ended is listed for its hold time.
        while [each.info["pid"] for each in client.engines()] != cluster.engine_pids:
            assert time.monotonic() < deadline, client.ids
            time.sleep(0.01)
        yield client
        for each in on_join.listing(client):
            client.remove_on_join(each)
        cluster.stop_engines_sync()
        cluster.start_engines_sync(1)


def add(number: int) -> None:
    builtins.linden_test_sum = getattr(builtins, "linden_test_sum", 0) + number  # type: ignore[attr-defined]


def add_size(data: bytes) -> None:
    add(len(data))


def sum_of() -> Any:
    return getattr(builtins, "linden_test_sum", None)


def fail() -> None:
    raise ValueError("no licence")


def one_more(cluster: Cluster, client: linden.Client) -> None:
    n = len(client) + 1
    cluster.start_engines_sync(1)
    client.wait_for_engines(n, timeout=DEADLINE_S)


def test_a_function_runs_once_on_every_engine_whenever_it_comes(rc: linden.Client, cluster: Cluster) -> None:
    rc.on_join(add, 3, timeout=DEADLINE_S)
    assert rc[:].apply_sync(sum_of) == [3]
    one_more(cluster, rc)
    assert rc[:].apply_sync(sum_of) == [3, 3]
    rc[:].apply_sync(catch_up)  # nothing is left to do
    assert rc[:].apply_sync(sum_of) == [3, 3]


def test_code_runs_in_the_namespace_of_the_engine(rc: linden.Client) -> None:
    rc.on_join("import math\ntwo_pi = 2 * math.pi", timeout=DEADLINE_S)
    assert rc[:]["two_pi"] == [pytest.approx(6.2831853)]


def test_an_engine_that_is_started_over_runs_it_again(rc: linden.Client) -> None:
    rc.on_join(add, 5, timeout=DEADLINE_S)
    rc.shutdown(restart=True)
    assert rc[:].apply_sync(sum_of) == [5]


def test_several_run_in_the_order_in_which_they_were_given(rc: linden.Client, cluster: Cluster) -> None:
    rc.on_join("words = ['one']", name="first", timeout=DEADLINE_S)
    rc.on_join("words.append('two')", name="second", timeout=DEADLINE_S)
    one_more(cluster, rc)
    assert rc[:]["words"] == [["one", "two"]] * 2


def test_a_second_one_of_a_name_replaces_the_first(rc: linden.Client, cluster: Cluster) -> None:
    rc.on_join(add, 1, timeout=DEADLINE_S)
    rc.on_join(add, 10, timeout=DEADLINE_S)
    one_more(cluster, rc)
    assert rc[:].apply_sync(sum_of) == [11, 10]


def test_what_was_removed_runs_no_more(rc: linden.Client, cluster: Cluster) -> None:
    given = rc.on_join(add, 1, timeout=DEADLINE_S)
    rc.remove_on_join(given)
    with pytest.raises(KeyError, match="no on_join of the name 'add'; there are none"):
        rc.remove_on_join("add")
    one_more(cluster, rc)
    assert rc[:].apply_sync(sum_of) == [1, None]


def test_one_that_fails_on_an_engine_that_serves_is_not_kept(rc: linden.Client, cluster: Cluster) -> None:
    with pytest.raises(on_join.OnJoinFailed, match="no licence"):
        rc.on_join(fail, timeout=DEADLINE_S)
    one_more(cluster, rc)


def fail_unless(number: int) -> None:
    if number != 1:
        raise ValueError("not one")


def test_one_that_fails_replaces_nothing(rc: linden.Client) -> None:
    first = rc.on_join(fail_unless, 1, timeout=DEADLINE_S)
    with pytest.raises(on_join.OnJoinFailed, match="not one"):
        rc.on_join(fail_unless, 2, timeout=DEADLINE_S)
    assert [each.key for each in on_join.listing(rc)] == [first.key]


def test_large_arguments_are_there_when_their_client_has_gone(rc: linden.Client, cluster: Cluster) -> None:
    with cluster.connect_client_sync() as other:
        other.on_join(add_size, b"x" * (3 << 20), timeout=DEADLINE_S)
        assert other.submitter.data.pending == {}
    one_more(cluster, rc)
    assert rc[:].apply_sync(sum_of) == [3 << 20] * 2


def test_an_engine_for_which_it_fails_does_not_join_and_says_why(rc: linden.Client, cluster: Cluster) -> None:
    # As one that somebody gives while no engine serves: an engine that serves would refuse it at once.
    rc.space.put_many([on_join_tuples.on_join("k", "licence", farm.APPLY, *_packed(rc, fail))])
    name = cluster.start_engines_sync(1)
    log = cluster.directory / "log" / f"engine-{name}-0.log"
    deadline = time.monotonic() + DEADLINE_S
    while "ValueError: no licence" not in read(log):
        assert time.monotonic() < deadline, read(log)
        time.sleep(0.02)
    assert "on_join 'licence' has failed" in read(log)
    assert len(rc) == 1


def _packed(client: linden.Client, function: Any) -> tuple[str, Any]:
    callee = client.submitter.callee(function)
    return callee.function, callee.pack((), {})[0]


def read(log: Path) -> str:
    return log.read_text() if log.exists() else ""


def test_what_is_no_function_and_no_code_is_refused(rc: linden.Client) -> None:
    with pytest.raises(TypeError, match="a function or the text of code is wanted, not 3"):
        rc.on_join(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="code takes no arguments"):
        rc.on_join("x = 1", 2)
    with pytest.raises(TypeError, match="f is a function in C\\+\\+, and only engines that run Python"):
        rc.on_join(linden.NativeFunction("f"), b"x" * (2 << 20))
    assert rc.submitter.data.pending == {}
    assert on_join.listing(rc) == []


def test_only_engines_catch_up() -> None:
    with pytest.raises(RuntimeError, match="for engines"):
        catch_up()
