"""The hub's database, which is the space: records, history, queues, resubmission, purging."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import linden
import pytest
from linden import farm, hub_query
from linden.error import TaskAborted
from linden.fetched import AsyncHubResult
from linden_launchers import LocalCluster
from live import cluster as cluster
from live import rc as rc


def say(x: int) -> int:
    """Print and return."""
    print("said", x)
    return 2 * x


def wait_for(path: str) -> None:
    """Return once the file is there."""
    import os
    import time

    deadline = time.monotonic() + 60
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.01)


def fail(x: int) -> int:
    """Raise."""
    raise ValueError(x)


def test_a_query_by_message_id(rc: linden.Client) -> None:
    view = rc.load_balanced_view().set_flags(label="talk")
    before = datetime.now(UTC)
    result = view.apply_async(say, 4)
    result.get(20)
    [record] = rc.db_query({"msg_id": result.msg_id})
    assert list(record) == [key for key in hub_query.RECORD_KEYS if key not in hub_query.BUFFER_KEYS]
    assert record["label"] == "talk"
    assert record["stdout"] == "said 4\n"
    assert record["client_uuid"] == rc.session
    assert record["engine_uuid"] == result.engine_uuid
    assert before - timedelta(seconds=1) < record["submitted"] <= record["started"] <= record["completed"]
    assert record["error"] is None
    [only] = rc.db_query({"msg_id": {"$in": [result.msg_id, "unknown", "x_1"]}}, keys="result_buffers")
    assert set(only) == {"msg_id", "result_buffers"}


def test_queries_find_what_matches_and_nothing_else(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    start = datetime.now(UTC)
    with view.temp_flags(label="odd"):
        odd = [view.apply_async(say, x) for x in (1, 3)]
    with view.temp_flags(label="even"):
        even = view.apply_async(fail, 2)
    rc.wait([*odd, even], 20)

    def found(query: dict[str, Any]) -> list[str]:
        mine = {"client_uuid": rc.session, "submitted": {"$gte": start}}
        return [record["msg_id"] for record in rc.db_query(mine | query, keys=[])]

    assert found({}) == [*(result.msg_id for result in odd), even.msg_id]
    assert found({"label": "odd"}) == [result.msg_id for result in odd]
    assert found({"label": {"$glob": "e*"}}) == [even.msg_id]
    assert found({"error": {"$exists": True}}) == [even.msg_id]
    assert found({"stdout": "said 3\n"}) == [odd[1].msg_id]
    assert found({"completed": {"$gte": start}, "engine_uuid": odd[0].engine_uuid, "label": "odd"})[0] == odd[0].msg_id
    assert found({"completed": {"$lt": start}}) == []
    with pytest.raises(KeyError, match="no key"):
        rc.db_query({}, keys=["nothing"])


def test_tasks_without_a_result_are_records_too(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    running = [view.apply_async(time.sleep, 1) for _ in rc.ids]
    waiting = [view.apply_async(time.sleep, 0) for _ in range(4)]
    ids = [result.msg_id for result in waiting]
    pending = rc.db_query({"client_uuid": rc.session, "completed": None}, keys=["completed", "result_content", "queue"])
    assert set(ids) <= {record["msg_id"] for record in pending}
    assert all(record["result_content"] is None and record["queue"] == "task" for record in pending)
    assert rc.result_status(ids[0])["pending"] == ids[:1]
    rc.abort(waiting)
    rc.wait([*running, *waiting], 20)
    [record] = rc.db_query({"msg_id": ids[0]})
    assert record["result_content"] == {"status": "aborted"}


def test_tasks_that_wait_for_others_are_records_of_what_they_will_be(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    first = view.apply_async(time.sleep, 0.5)
    with view.temp_flags(after=first, label="behind"):
        behind = view.apply_async(say, 3)
    [record] = rc.db_query({"label": "behind", "client_uuid": rc.session})
    assert record["header"]["msg_type"] == "apply_request"
    assert record["completed"] is None
    assert rc.queue_status()["unassigned"] >= 1
    assert behind.msg_id in rc.queue_status(verbose=True)["unassigned"]
    assert behind.get(20) == 6
    [record] = rc.db_query({"msg_id": behind.msg_id})
    assert record["metadata"]["kind"] == "apply"
    assert rc.resubmit(behind.msg_id).get(20) == 6


def test_cells_are_known_by_their_source_and_value(rc: linden.Client, cluster: LocalCluster) -> None:
    cell = rc[0].execute("print('heard')\n6 * 7", silent=False)
    cell.wait(20)
    [record] = rc.db_query({"execute_input": {"$glob": "*6 * 7"}, "client_uuid": rc.session})
    assert record["msg_id"] == cell.msg_id
    assert record["execute_result"]["data"]["text/plain"] == "42"
    assert record["stdout"] == "heard\n"
    with cluster.connect_client() as other:
        metadata = other.get_result(cell.msg_id).metadata
        assert metadata.execute_result == record["execute_result"]
        assert metadata.execute_input == record["execute_input"]
        assert metadata.stdout == "heard\n"


def test_history_is_in_the_order_of_submission(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    slow = view.apply_async(time.sleep, 0.3)
    quick = [view.apply_async(say, x) for x in range(3)]
    rc.wait([slow, *quick], 20)
    ids = [slow.msg_id, *(result.msg_id for result in quick)]
    assert [id_ for id_ in rc.hub_history() if id_ in ids] == ids


def test_pages_show_everything_once(rc: linden.Client) -> None:
    rc.load_balanced_view().map_sync(say, range(25))
    everything = set(rc.hub_history())
    assert len(everything) >= 25
    seen: list[str] = []
    page: Any = None
    while page := rc.hub_history(limit=10, after=page):
        assert len(page) <= 10
        seen += page
    assert rc.hub_history(limit=10, after=seen[-1]) == rc.hub_history(limit=10, after=page) == []
    assert len(seen) == len(everything)
    assert set(seen) == everything
    labels = rc.db_query({"client_uuid": rc.session}, keys=["label"], limit=3)
    more = rc.db_query({"client_uuid": rc.session}, keys=["label"], limit=3, after=labels[-1]["msg_id"])
    assert len({record["msg_id"] for record in [*labels, *more]}) == 6
    with pytest.raises(KeyError, match="purged"):
        rc.hub_history(limit=1, after=farm.message_id("0" * 32, 1))
    with pytest.raises(ValueError, match="limit must be"):
        rc.hub_history(limit=0)


def test_pages_leave_out_nothing_that_ends_meanwhile(rc: linden.Client) -> None:
    rc.purge_everything()
    view = rc.load_balanced_view()
    running = [view.apply_async(time.sleep, 0.5) for _ in rc.ids]
    ids = {result.msg_id for result in [*running, *(view.apply_async(time.sleep, 0) for _ in range(8))]}
    page = rc.hub_history(limit=3)
    seen = set(page)
    rc.wait(timeout=20)
    while page := rc.hub_history(limit=3, after=page):
        seen |= set(page)
    assert ids <= seen


def test_queues(rc: linden.Client) -> None:
    ids = rc.ids
    before = rc.queue_status()
    direct = rc[0].apply_async(time.sleep, 0.6)
    behind = [rc[0].apply_async(time.sleep, 0) for _ in range(3)]
    status = rc.queue_status(ids[0])
    assert set(status) == {"queue", "completed", "tasks"}
    assert status["queue"] + status["tasks"] == 4
    verbose = rc.queue_status(verbose=True)
    assert set(verbose) == {*ids, "unassigned"}
    named = set(verbose[ids[0]]["queue"]) | set(verbose[ids[0]]["tasks"])
    assert named == {result.msg_id for result in (direct, *behind)}
    assert set(rc.queue_status([ids[1]])) == {ids[1], "unassigned"}
    rc.wait([direct, *behind], 20)
    assert rc.queue_status()[ids[0]]["completed"] == before[ids[0]]["completed"] + 4
    assert {direct.msg_id} <= set(rc.queue_status(ids[0], verbose=True)["completed"])
    with pytest.raises(IndexError, match="no engine 4711"):
        rc.queue_status(4711)


def test_a_task_is_given_once_more_and_again(rc: linden.Client, cluster: LocalCluster) -> None:
    first = rc.load_balanced_view().set_flags(label="again").apply_async(say, 21)
    assert first.get(20) == 42
    second = rc.resubmit(first.msg_id)
    assert second.get(20) == 42
    assert second.msg_id != first.msg_id
    assert rc.history[-1] == second.msg_id
    with cluster.connect_client() as other:
        third = other.resubmit([second.msg_id, first.msg_id])
        assert third.get(20) == [42, 42]
        assert third.stdout == ["said 21\n", "said 21\n"]
        [record] = other.db_query({"msg_id": second.msg_id})
        assert record["resubmitted"] == third.msg_ids[0]
        assert other.db_query({"msg_id": third.msg_ids[0]}, keys="label")[0]["label"] == "again"
    assert rc.resubmit(block=True) == 42


def test_an_aborted_task_is_given_once_more(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    running = [view.apply_async(time.sleep, 0.7) for _ in rc.ids]
    aborted = view.apply_async(say, 3)
    rc.abort(aborted)
    with pytest.raises(TaskAborted):
        aborted.get(20)
    assert rc.resubmit(aborted.msg_id).get(20) == 6
    rc.wait(running, 20)


def test_a_call_on_several_engines_is_given_once_more(rc: linden.Client) -> None:
    view = rc[:]
    pushed = view.push({"kept": 5})
    pushed.get(20)
    view["kept"] = 6
    again = rc.resubmit(pushed)
    again.get(20)
    assert view["kept"] == [5, 5]
    assert again.engine_id == pushed.engine_id


def test_what_cannot_be_given_once_more(rc: linden.Client) -> None:
    with pytest.raises(KeyError, match="no task or result"):
        rc.resubmit(farm.message_id("0" * 32, 1))
    large = rc.load_balanced_view().apply_async(len, b"x" * (farm.RECORD_PAYLOAD_BYTES_MAX + 1))
    large.get(20)
    with pytest.raises(ValueError, match="keeps up to 64 KiB"):
        rc.resubmit(large.msg_id)


def test_the_results_of_others_are_hub_results(rc: linden.Client, cluster: LocalCluster) -> None:
    """F3"""
    mine = rc.load_balanced_view().set_flags(label="mine").apply_async(fail, 5)
    mine.wait(20)
    assert not isinstance(rc.get_result(mine.msg_id), AsyncHubResult)
    with cluster.connect_client() as other:
        theirs = other.get_result(mine.msg_id)
        assert isinstance(theirs, linden.AsyncHubResult)
        with pytest.raises(ValueError, match=r"\[\d+:mine\] ValueError: 5"):
            theirs.get(20)
        assert theirs.label == "mine"
        assert theirs.submitted == mine.submitted
        assert theirs.started == mine.started
        assert 0 < theirs.serial_time <= theirs.wall_time < 20


def test_chunks_of_a_map_by_their_ids(rc: linden.Client) -> None:
    result = rc.load_balanced_view().map_async(lambda x: 1 / x, [1, 0, 2, 4], chunksize=2)
    result.wait(20)
    first, second = result.msg_ids
    assert rc.get_result(second).get(20) == [0.5, 0.25]
    with pytest.raises(ZeroDivisionError):
        rc.get_result(first).get(20)
    [value, error] = rc.get_result(first).get(20, return_exceptions=True)
    assert (value, type(error).__name__) == (1.0, "ZeroDivisionError")


def test_purging_here_leaves_the_farm_alone(rc: linden.Client) -> None:
    results = [rc.load_balanced_view().apply_async(say, x) for x in range(3)]
    rc.wait(results, 20)
    first, second, third = [result.msg_id for result in results]
    assert rc.results[first] == 0
    rc.purge_local_results(first)
    with pytest.raises(KeyError):
        rc.results[first]
    assert first not in list(rc.results)
    assert rc.get_result(first).get(20) == 0
    rc.purge_local_results("all")
    assert list(rc.metadata) == []
    assert rc.get_result([second, third]).get(20) == [2, 4]
    assert rc.load_balanced_view().apply_sync(say, 4) == 8
    assert len(rc.results) == 1


def test_purging_names_something_and_nothing_outstanding(rc: linden.Client, scratch: Path) -> None:
    waiting = rc.load_balanced_view().apply_async(wait_for, str(scratch / "go"))
    for purge in (rc.purge_local_results, rc.purge_hub_results, rc.purge_results):
        with pytest.raises(ValueError, match="name the jobs"):
            purge()
        for jobs in ("all", waiting.msg_id):
            with pytest.raises(RuntimeError, match="no result yet"):
                purge(jobs)
    with pytest.raises(RuntimeError, match="no result yet"):
        rc.purge_everything()
    (scratch / "go").touch()
    waiting.get(20)


def test_what_a_task_has_printed_is_read_and_purged_whole(rc: linden.Client) -> None:
    lines = 1_250  # each of them, of either stream, is a tuple; a page has 1,000

    def talk(lines: int) -> None:
        import sys

        for line in range(lines):
            print(line)
            print(line, file=sys.stderr)

    result = rc.load_balanced_view().apply_async(talk, lines)
    result.get(20)
    outputs = farm.outputs_form(*farm.parse_message_id(result.msg_id))
    assert rc.space.count(outputs) >= 2 * lines  # one that is cut by the clock is two
    [record] = rc.db_query({"msg_id": result.msg_id})
    assert record["stdout"] == record["stderr"] == "".join(f"{line}\n" for line in range(lines))
    rc.purge_hub_results(result)
    assert rc.space.count(outputs) == 0


def test_purging_by_engine(rc: linden.Client) -> None:
    engine, other = rc.ids
    here, there = rc[0].apply_async(say, 1), rc[1].apply_async(say, 1)
    rc.wait([here, there], 20)
    rc.purge_hub_results(targets=engine)
    with pytest.raises(KeyError, match="purged"):
        rc.get_result(here.msg_id)
    assert rc.get_result(there.msg_id).get(20) == 2
    assert rc.queue_status(engine)["completed"] == 0
    assert rc.queue_status(other)["completed"] > 0


def test_purging_everything(rc: linden.Client) -> None:
    done = rc.load_balanced_view().apply_async(say, 1)
    done.get(20)
    rc.resubmit(done.msg_id).get(20)
    rc.purge_everything()
    assert rc.history == []
    assert rc.db_query({"client_uuid": rc.session}) == []
    for form in (farm.results_form, farm.outputs_form, farm.resubmitted_form):
        assert rc.space.count(form(rc.session)) == 0


def test_history_is_a_list_that_takes_no_room(rc: linden.Client) -> None:
    view = rc.load_balanced_view()
    other = rc.load_balanced_view()
    results = [each.apply_async(int, 1) for each in (view, view, other, view)]
    ids = [result.msg_id for result in results]
    assert rc.history[-4:] == ids
    assert rc.history[-1] == ids[-1]
    assert view.history == [ids[0], ids[1], ids[3]]
    assert ids[2] not in view.history
    assert ids[2] in rc.history
    assert "nonsense" not in rc.history
    with pytest.raises(IndexError):
        other.history[1]
    rc.wait(results, 20)
    assert len(rc.submitter.history) == 1
    assert view.get_result(0).get(20) == 1


def test_abort_of_what_waits_for_one_engine(rc: linden.Client) -> None:
    running = rc[:].apply_async(time.sleep, 0.7)
    here, there = rc[0].apply_async(say, 1), rc[1].apply_async(say, 1)
    rc.abort(targets=rc.ids[0])
    with pytest.raises(TaskAborted):
        here.get(20)
    assert there.get(20) == 2
    running.get(20)
