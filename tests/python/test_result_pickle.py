"""AsyncResults are pickled as names, and fetched where they are unpickled: in this process, in another one, on an engine."""

import pickle
import subprocess
import sys
import time
from typing import Any

import linden
import pytest
from linden.client import open_clients
from linden.error import CompositeError
from linden_launchers import Cluster
from live import cluster as cluster
from live import rc as rc


def again(result: linden.AsyncResult) -> Any:
    return pickle.loads(pickle.dumps(result))


def test_values_of_all_shapes(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    assert again(view.apply_async(pow, 2, 3)).get(20) == 8
    assert again(rc[:].apply_async(pow, 2, 3)).get(20) == [8, 8]
    assert again(view.map_async(abs, range(7), chunksize=3)).get(20) == list(range(7))
    assert list(again(rc[:].map_async(abs, range(7)))) == list(range(7))
    rc[:].scatter("part", list(range(7)), block=True)
    assert again(rc[:].gather("part")).get(20) == list(range(7))


def test_a_pickled_result_keeps_its_name_label_and_flags(rc: linden.Client) -> None:
    with rc.load_balanced_view().temp_flags():
        view = rc.load_balanced_view().set_flags(label="mine")
        result = again(view.map_async(lambda x: 1 / x, [1, 0, 2], return_exceptions=True))
    value, error, _ = result.get(20)
    assert (value, type(error).__name__) == (1.0, "ZeroDivisionError")
    assert result.label == ["mine"] * 3
    with pytest.raises(ZeroDivisionError):
        again(view.apply_async(lambda: 1 / 0)).get(20)
    with pytest.raises(CompositeError):
        again(rc[:].apply_async(lambda: 1 / 0)).get(20)


def test_the_client_of_this_process_is_used_again(rc: linden.Client) -> None:
    before = len(open_clients())
    assert again(rc.load_balanced_view().apply_async(abs, -1)).get(20) == 1
    assert len(open_clients()) == before


def test_results_are_fetched_in_another_process_before_they_are_there(rc: linden.Client, tmp_path: Any) -> None:
    """F3, also of what is not there yet."""

    def slow(x: int, gate: str) -> int:
        import os
        import time

        deadline = time.monotonic() + 60
        while not os.path.exists(gate):
            if time.monotonic() > deadline:
                raise TimeoutError(gate)
            time.sleep(0.01)
        print("done", x)
        return x + 1

    gate = tmp_path / "unpickled"
    result = rc.load_balanced_view().map_async(slow, range(2), [str(gate)] * 2)
    path = tmp_path / "result.pickle"
    path.write_bytes(pickle.dumps(result))
    script = (
        "import pickle, sys\n"
        "result = pickle.load(open(sys.argv[1], 'rb'))\n"
        "open(sys.argv[2], 'w').close()\n"
        "print(result.get(30), result.stdout, result.msg_ids)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), str(gate)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    assert done.stdout.strip() == f"[1, 2] ['done 0\\n', 'done 1\\n'] {result.msg_ids}"


def test_a_result_as_an_argument_is_its_value_on_the_engine(rc: linden.Client) -> None:
    first = rc[0].apply_async(pow, 2, 5)
    assert rc[1].apply_sync(lambda value: value + 1, first) == 33


def test_what_was_purged_meanwhile_says_so_when_it_is_asked_for(rc: linden.Client) -> None:
    result = rc.load_balanced_view().apply_async(abs, -1)
    result.get(20)
    text = pickle.dumps(result)
    rc.purge_results(result)
    with pytest.raises(KeyError, match="purged"):
        pickle.loads(text).get(20)


def test_a_map_that_still_grows_has_no_names_yet(rc: linden.Client) -> None:
    result = rc.load_balanced_view().map_async(time.sleep, [0.02] * 200, chunksize="auto")
    with pytest.raises(TypeError, match="fixed chunksize"):
        pickle.dumps(result)
    result.get(60)
    assert again(result).get(20) == [None] * 200


def test_results_of_two_clients_are_not_joined(rc: linden.Client, cluster: Cluster) -> None:
    mine = rc.load_balanced_view().apply_async(abs, -1)
    with cluster.connect_client() as other:
        theirs = other.get_result(mine.msg_id)
        with pytest.raises(ValueError, match="one client"):
            linden.AsyncResult.join(mine, theirs)
        assert theirs.get(20) == 1


def test_results_from_several_sources_are_joined(rc: linden.Client) -> None:
    first = rc.load_balanced_view().apply_async(abs, -1)
    fetched = rc.get_result(first.msg_id)
    slow = rc.load_balanced_view().apply_async(time.sleep, 0.3)
    joined = linden.AsyncResult.join(fetched, slow, rc.load_balanced_view().apply_async(abs, -3))
    assert joined.get(20) == [1, None, 3]
    assert list(joined) == [1, None, 3]
    assert joined.wall_time > 0


def test_html_of_a_client(rc: linden.Client, cluster: Cluster) -> None:
    html = rc._repr_html_()
    assert "2 engines" in html
    assert all(f"<td>{id_}</td>" in html for id_ in rc.ids)
    assert "tasks outstanding" in repr(rc)
    with cluster.connect_client() as other:
        pass
    assert "closed" in other._repr_html_()
    assert repr(other) == "<linden.Client, closed>"


def test_a_client_in_an_async_with_block(cluster: Cluster) -> None:
    import asyncio

    async def main() -> linden.Client:
        async with cluster.connect_client() as client:
            await client.wait_for_engines(2, timeout=30, block=False)
            assert [value async for value in client[:].apply_async(abs, -2)] == [2, 2]
        return client

    assert asyncio.run(asyncio.wait_for(main(), 60)).closed
