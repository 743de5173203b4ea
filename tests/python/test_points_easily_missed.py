"""What programs written for ipyparallel rely on without saying so."""

import os
import time
from datetime import timedelta
from typing import Any

import linden
import pytest
from linden import AsyncMapResult, AsyncResult
from linden.error import CompositeError, RemoteError, TaskAborted
from linden_launchers import Cluster
from live import cluster as cluster
from live import rc as rc


def test_an_int_target_gives_a_value_and_all_others_lists(rc: linden.Client) -> None:
    engine = rc.ids[0]
    assert rc.direct_view(engine).apply_sync(abs, -1) == 1
    assert rc.direct_view([engine]).apply_sync(abs, -1) == [1]
    assert rc[:1].apply_sync(abs, -1) == [1]
    assert rc[0].apply_async(abs, -1).split() != ()


def test_all_of_a_single_engine_is_a_list() -> None:
    with linden.start(1) as client:
        client.wait_for_engines(1, timeout=30)
        assert client.direct_view("all").apply_sync(abs, -1) == [1]
        assert client.direct_view().apply_async(abs, -1).get_dict(20) == {client.ids[0]: 1}


def test_a_map_over_nothing_is_a_plain_list(rc: linden.Client) -> None:
    for view in (rc[:], rc.load_balanced_view()):
        assert type(view.map_async(abs, [])) is list
        assert view.map_sync(abs, []) == []
        assert isinstance(view.map_async(abs, [1]), AsyncMapResult)
        assert list(view.imap(abs, [-1, -2])) == [1, 2]


def test_parts_of_maps_and_of_single_tasks(rc: linden.Client) -> None:
    parts = rc.load_balanced_view().map_async(abs, [-1, -2, -3], chunksize=2).split()
    assert [part.get(20) for part in parts] == [[[1, 2]], [[3]]]
    assert not any(isinstance(part, AsyncMapResult) for part in parts)
    single = rc[0].apply_async(abs, -1)
    assert single.split() == (single,)


def test_dicts_by_engine(rc: linden.Client) -> None:
    assert rc[0].apply_async(abs, -1).get_dict(20) == {rc.ids[0]: 1}
    with pytest.raises(ValueError, match="more than one"):
        rc.load_balanced_view().map_async(abs, range(10)).get_dict(20)


def test_a_second_get_result_reads_the_store(rc: linden.Client) -> None:
    id_ = rc.load_balanced_view().apply_async(abs, -1).msg_id
    assert rc.get_result(id_, owner=True).get(20) == 1
    assert rc.get_result(id_).get(20) == 1


def test_a_view_aborts_its_own_tasks_only(rc: linden.Client) -> None:
    mine, other = rc.load_balanced_view(), rc.load_balanced_view()
    running = [other.apply_async(time.sleep, 0.7) for _ in rc.ids]
    aborted = [mine.apply_async(abs, -1) for _ in range(3)]
    kept = other.apply_async(abs, -2)
    mine.abort()
    for result in aborted:
        with pytest.raises(TaskAborted) as caught:
            result.get(20)
        assert not isinstance(caught.value, RemoteError)
    assert kept.get(20) == 2
    rc.wait(running, 20)


def test_texts_of_errors(rc: linden.Client) -> None:
    def fail() -> None:
        raise ValueError("no good")

    with pytest.raises(RemoteError) as one:
        rc[0].apply_sync(fail)
    assert str(one.value) == f"[{rc.ids[0]}:fail] ValueError: no good"
    with pytest.raises(CompositeError) as several:
        rc.load_balanced_view().map_sync(lambda x: 1 / 0, range(6))
    error = several.value
    assert error.tb_limit == 4
    assert len(error.elist) == 6
    name, text, traceback, info = error.elist[5]
    assert (name, text) == ("ZeroDivisionError", "division by zero")
    assert "ZeroDivisionError" in traceback
    assert set(info) == {"engine_id", "engine_uuid", "method"}
    assert str(error).count("ZeroDivisionError") == 4
    assert "2 more" in str(error)


def test_flags_that_end_with_their_block(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    with view.temp_flags(block=True, label="short"):
        assert view.apply(abs, -1) == 1
    assert isinstance(view.apply(abs, -1), AsyncResult)
    assert view.label is None
    assert view.set_flags(block=False) is view


def test_histories_have_tasks_and_no_control(rc: linden.Client) -> None:
    view = rc[:]
    executor = rc.load_balanced_view().executor
    executor.submit(abs, -1).result(20)
    assert len(executor.view.history) == 1
    before = len(rc.history)
    view.execute("x = 1", block=True)
    view.push({"y": 2}, block=True)
    assert len(rc.history) == before + 4
    assert view.history == rc.history[before:]
    rc.clear(block=True)
    rc.abort()
    rc.send_signal(0)
    rc.queue_status()
    assert len(rc.history) == before + 4


def test_moments_have_a_zone_and_arrival_is_noted(rc: linden.Client) -> None:
    result = rc.load_balanced_view().apply_async(abs, -1)
    result.get(20)
    row = result.metadata
    for key in ("submitted", "started", "completed", "received"):
        assert row[key].tzinfo is not None
        assert row[key].utcoffset() == timedelta(0)
    assert row.submitted <= row.started <= row.completed <= row.received
    with pytest.raises(KeyError, match="colour"):
        row["colour"]
    with pytest.raises(KeyError, match="colour"):
        row["colour"] = 1
    with pytest.raises(AttributeError):
        row.colour  # noqa: B018
    row.data = {"a": 1}
    assert row["data"] == {"a": 1}


def test_a_silent_cell_prints_and_has_no_value(rc: linden.Client) -> None:
    result = rc[0].execute("print('heard')\n5", silent=True)
    assert result.get(20) is None
    assert result.stdout == "heard\n"
    assert result.metadata.execute_result is None
    assert result.metadata.execute_input == "print('heard')\n5"


def test_a_keyword_of_the_function_may_be_called_f(rc: linden.Client) -> None:
    def call(f: int, block: int = 0) -> tuple[int, int]:
        return f, block

    assert rc[0].apply_sync(call, f=1, block=2) == (1, 2)


def test_arguments_may_be_changed_after_the_call(rc: linden.Client) -> None:
    numbers = [1, 2, 3]
    result = rc.load_balanced_view().apply_async(sum, numbers)
    assert result.sent
    assert result.wait_for_send()
    numbers.append(100)
    assert result.get(20) == 6


def test_spinning_does_nothing(rc: linden.Client) -> None:
    rc.spin()
    rc.spin_thread(0.1)
    rc.stop_spin_thread()
    rc[:].spin()


def test_jobs_may_be_named_in_every_way(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    results = [view.apply_async(abs, -x) for x in range(3)]
    future = view.executor.submit(abs, -5)
    assert rc.wait([results[0], results[1].msg_id, -1, future], 20)
    assert rc.wait(timeout=20)
    assert view.wait(timeout=20)
    assert rc.get_result([-4, results[1]]).get(20) == [0, 1]
    assert rc.get_result(slice(-4, -1)).get(20) == [0, 1, 2]
    with pytest.raises(TypeError, match="message ids, indices"):
        rc.wait([1.5])
    with pytest.raises(IndexError):
        rc.get_result(-4711)
    with pytest.raises(ValueError, match="no message id"):
        rc.get_result("nonsense")


def test_what_a_client_cannot_do_says_what_to_do(cluster: Cluster) -> None:
    with pytest.raises(ValueError, match="ssh -L"):
        linden.Client(sshserver="me@there")
    with linden.Client(url_file=cluster.connection_file, debug=True) as client:
        assert client.debug
        assert client.profile == cluster.cluster_id
        assert client[0].apply_sync(os.getpid) in cluster.engine_pids


def test_errors_of_records_become_errors_again(rc: linden.Client) -> None:
    result: Any = rc.load_balanced_view().apply_async(lambda: 1 / 0)
    result.wait(20)
    [record] = rc.db_query({"msg_id": result.msg_id})
    error = linden.error.unwrap_exception(record["error"])
    assert isinstance(error, RemoteError)
    assert isinstance(error, ZeroDivisionError)
    assert error.engine_info == result.exception().engine_info
    assert error.render_traceback() == result.exception().render_traceback()


def test_a_view_of_a_closed_client_says_what_to_do(cluster: Cluster) -> None:
    client = cluster.connect_client()
    view = client.load_balanced_view()
    done, waiting = view.apply_async(abs, -1), view.apply_async(time.sleep, 1)
    assert done.get(20) == 1
    client.close()
    for call in (view.apply_async, view.map_async, view.apply_sync):
        with pytest.raises(linden.Closed, match=r"make a new one.*get_result\(msg_id\)"):
            call(abs, [1])
    for ask in (waiting.get, client.queue_status, lambda: client[:], client.hub_history):
        with pytest.raises(linden.Closed, match="make a new one"):
            ask()
    assert done.get() == 1
    with cluster.connect_client() as other:
        assert other.get_result(waiting.msg_id).get(20) is None
