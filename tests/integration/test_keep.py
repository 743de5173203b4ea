"""Values that stay on engines: where tasks run that use them, how long they wait for that, and what becomes of them when engines die."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import pytest
from linden.error import InvalidDependency, KeptResultLost
from linden.kept import Kept
from linden.serialize import NotPicklable

Farm = Callable[..., Any]
WITHIN_S = 30


def make(log: str, n: int, *_more: Any) -> list[int]:
    import os

    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    os.close(descriptor)
    return list(range(n))


def keep_and_know_engine(rc: linden.Client, function: Any, *args: Any, **flags: Any) -> tuple[Kept, int]:
    result = rc.load_balanced_view(keep=True, **flags).apply_async(function, *args)
    return result.get(timeout=WITHIN_S), result.engine_id


def wait_for_go(directory: str) -> None:
    import time
    from pathlib import Path

    (Path(directory) / "busy").touch()
    deadline = time.monotonic() + 60
    while not (Path(directory) / "go").exists():
        if time.monotonic() > deadline:
            raise TimeoutError("nobody let it go on")
        time.sleep(0.01)


def kept_in(rc: linden.Client) -> list[Any]:
    return rc.space.list(("kept", *[linden.ANY] * 6))


def runs(log: Path) -> int:
    return len(log.read_text().splitlines())


@pytest.fixture
def log(scratch: Path) -> Path:
    return scratch / "log"


def test_values_stay_and_are_used_where_they_are(farm: Farm, log: Path) -> None:
    _, rc = farm(2)
    view = rc.load_balanced_view()
    kept, engine = keep_and_know_engine(rc, make, str(log), 10)
    assert (kept.engine_id, kept.what) == (engine, "list of 10")
    for _ in range(10):
        result = view.apply_async(lambda x: (id(x), sum(x)), kept)
        identity, total = result.get(timeout=WITHIN_S)
        assert total == 45
        assert result.engine_id == engine
    # It is the value itself, and no copy.
    assert view.apply_sync(id, kept) == identity
    assert kept.get(WITHIN_S) == list(range(10))
    assert runs(log) == 1
    # Whoever waits for the result in the farm gets the value as well.
    with view.temp_flags(keep=True):
        later = view.apply_async(sorted, view.apply_async(make, str(log), 3))
    assert view.apply_async(sum, later).get(timeout=WITHIN_S) == 3


def test_maps_keep_each_of_their_values(farm: Farm) -> None:
    _, rc = farm(2)
    for view in (rc.load_balanced_view(), rc[:]):
        handles = view.map_sync(lambda n: [n] * n, range(6), keep=True)
        assert [kept.what for kept in handles] == [f"list of {n}" for n in range(6)]
        assert view.map_sync(len, handles) == list(range(6))
        assert [kept.get(WITHIN_S) for kept in handles] == [[n] * n for n in range(6)]
    chunks = rc.load_balanced_view().map_async(lambda n: 1 / n, [4, 0, 2], chunksize=3, keep=True)
    values = chunks.get(timeout=WITHIN_S, return_exceptions=True)
    assert isinstance(values[1], ZeroDivisionError)
    assert (values[0].get(WITHIN_S), values[2].get(WITHIN_S)) == (0.25, 0.5)


def test_a_part_of_a_map_that_is_run_again_has_its_values_from_the_last_time(farm: Farm, scratch: Path) -> None:
    """What a failed attempt had kept must not be taken for the value: it has None where an item failed."""
    _, rc = farm(2)

    def flaky(n: int, marker: str) -> list[int]:
        from pathlib import Path

        if n == 1 and not Path(marker).exists():
            Path(marker).touch()
            raise ValueError("the first time")
        return [n] * n

    view = rc.load_balanced_view(retries=2)
    handles = view.map_async(flaky, range(3), [str(scratch / "marker")] * 3, chunksize=3, keep=True)
    kept = handles.get(timeout=WITHIN_S)
    assert [each.get(WITHIN_S) for each in kept] == [[], [1], [2, 2]]
    assert len(kept_in(rc)) == 1


def test_a_task_waits_for_its_engine_only_while_no_other_is_free(
    farm: Farm, log: Path, scratch: Path, wait_for: Callable[..., None]
) -> None:
    """The bound: the engine with the data is busy without an end, the other one is idle, and the task is done there."""
    _, rc = farm(2)
    kept, engine = keep_and_know_engine(rc, make, str(log), 10)
    busy = rc[[engine]].apply_async(wait_for_go, str(scratch))
    wait_for((scratch / "busy").exists, WITHIN_S)
    result = rc.load_balanced_view().apply_async(sum, kept)
    assert result.get(timeout=WITHIN_S) == 45
    assert result.engine_id != engine
    assert not busy.ready()
    (scratch / "go").touch()
    busy.get(timeout=WITHIN_S)
    assert runs(log) == 1


def file_of(values: Any) -> str:
    """In which file the array lies; "" if it is in the process's own memory."""
    from pathlib import Path

    address = values.ctypes.data
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, *_, name = line.split(maxsplit=5) if len(line.split()) > 5 else (line.split()[0], "")
        start, _, end = span.partition("-")
        if int(start, 16) <= address < int(end, 16):
            return str(name)
    return ""


def test_a_large_value_comes_through_shared_memory(farm: Farm, scratch: Path, wait_for: Callable[..., None]) -> None:
    numpy = pytest.importorskip("numpy")
    _, rc = farm(2)
    kept, engine = keep_and_know_engine(rc, numpy.arange, 4_000_000)
    assert "linden" not in rc.load_balanced_view().apply_sync(file_of, kept)
    busy = rc[[engine]].apply_async(wait_for_go, str(scratch))
    wait_for((scratch / "busy").exists, WITHIN_S)
    result = rc.load_balanced_view().apply_async(lambda values: (int(values.sum()), file_of(values)), kept)
    total, file = result.get(timeout=WITHIN_S)
    assert total == 4_000_000 * 3_999_999 // 2
    assert result.engine_id != engine
    assert "linden" in file
    (scratch / "go").touch()
    busy.get(timeout=WITHIN_S)


def test_what_cannot_be_pickled_waits_for_its_engine(farm: Farm, scratch: Path, wait_for: Callable[..., None]) -> None:
    _, rc = farm(2)
    kept, engine = keep_and_know_engine(rc, threading.Lock)
    rc[[engine]].apply_async(wait_for_go, str(scratch))
    wait_for((scratch / "busy").exists, WITHIN_S)
    result = rc.load_balanced_view().apply_async(lambda lock: lock.locked(), kept)
    # The other engine tries, finds that it cannot have it, and gives the task back.
    refused = ("task", f"engine:{engine}", *[linden.ANY] * 7)
    other = {engine_id for engine_id in rc.ids if engine_id != engine}.pop()
    wait_for(lambda: any(f'"refused": [{other}]' in str(row) for row in rc.space.list(refused)), WITHIN_S)
    (scratch / "go").touch()
    assert result.get(timeout=WITHIN_S) is False
    assert result.engine_id == engine
    with pytest.raises(NotPicklable, match="lock"):
        kept.get(WITHIN_S)


def kill(rc: linden.Client, engine: int, wait_for: Callable[..., None]) -> None:
    pid = next(each.info["pid"] for each in rc.engines() if each.id == engine)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: engine not in rc.ids, WITHIN_S)


def test_a_lost_value_is_made_again(farm: Farm, log: Path, wait_for: Callable[..., None]) -> None:
    _, rc = farm(2)
    kept, engine = keep_and_know_engine(rc, make, str(log), 10)
    view = rc.load_balanced_view()
    derived, _ = keep_and_know_engine(rc, sorted, kept)
    kill(rc, engine, wait_for)
    assert kept_in(rc) == []
    assert view.apply_async(sum, derived).get(timeout=WITHIN_S) == 45
    assert runs(log) == 2  # what it was made of, too
    assert kept.get(WITHIN_S) == list(range(10))
    assert runs(log) == 2
    assert {fields[3] for fields in kept_in(rc)} == set(rc.ids)


def test_a_value_that_cannot_be_made_again_is_an_error_that_says_so(
    farm: Farm, log: Path, wait_for: Callable[..., None]
) -> None:
    _, rc = farm(2)
    once, engine = keep_and_know_engine(rc, make, str(log), 10, retries=0)
    view = rc[engine]
    view.keep = True
    direct = view.apply_async(make, str(log), 3).get(timeout=WITHIN_S)
    large = view_of(rc, engine).apply_async(make, str(log), 4, b"x" * 100_000).get(timeout=WITHIN_S)
    kill(rc, engine, wait_for)
    for kept, why in ((once, "must not run twice"), (direct, "by a direct view"), (large, "arguments were large")):
        with pytest.raises(KeptResultLost, match=f"{kept.msg_id}.* which engine {engine} kept.*{why}"):
            rc.load_balanced_view().apply_async(len, kept).get(timeout=WITHIN_S)
    assert runs(log) == 3


def view_of(rc: linden.Client, engine: int) -> Any:
    """Load-balanced, and still on that engine."""
    return rc.load_balanced_view([engine], keep=True, retries=None)


def test_the_server_is_killed_and_values_are_still_there(farm: Farm, log: Path) -> None:
    cluster, rc = farm(2, restart_server=False, engine_hold=5.0)
    kept, engine = keep_and_know_engine(rc, make, str(log), 10)
    os.kill(cluster.server_pid, signal.SIGKILL)
    cluster.restart_server()
    result = rc.load_balanced_view().apply_async(sum, kept)
    assert result.get(timeout=WITHIN_S) == 45
    assert runs(log) == 1
    assert [fields[3] for fields in kept_in(rc)] == [engine]


class Mourned:
    """Leaves a note when nobody needs it any more."""

    def __init__(self, note: str) -> None:
        self.note = note

    def __del__(self) -> None:
        from pathlib import Path

        Path(self.note).touch()


@pytest.mark.parametrize("jobs", ["one", "all"])
def test_purging_drops_values(farm: Farm, scratch: Path, wait_for: Callable[..., None], jobs: str) -> None:
    _, rc = farm(1)
    result = rc.load_balanced_view(keep=True).apply_async(Mourned, str(scratch / "note"))
    kept = result.get(timeout=WITHIN_S)
    assert not (scratch / "note").exists()
    rc.purge_results("all" if jobs == "all" else result)
    wait_for((scratch / "note").exists, WITHIN_S)
    assert kept_in(rc) == []
    with pytest.raises(KeptResultLost, match="its result was purged"):
        rc.load_balanced_view().apply_async(len, kept).get(timeout=WITHIN_S)
    with pytest.raises(InvalidDependency, match="was it purged"):
        rc.load_balanced_view().apply_async(len, result).get(timeout=WITHIN_S)


def test_others_find_it_by_its_id(farm: Farm, log: Path) -> None:
    cluster, rc = farm(1)
    kept, _ = keep_and_know_engine(rc, make, str(log), 10)
    record = rc.db_query({"msg_id": kept.msg_id})[0]
    assert record["result_metadata"]["kept"] is True
    with linden.Client(str(cluster.connection_file)) as other:
        again = other.get_result(kept.msg_id).get(timeout=WITHIN_S)
        assert again == kept
        assert again.get(WITHIN_S) == list(range(10))
        assert sum(other.load_balanced_view().apply_sync(list, again)) == 45


def test_flags_that_make_no_sense(farm: Farm) -> None:
    _, rc = farm(1)
    with pytest.raises(TypeError, match="keep must be True or False, not 1"):
        rc.load_balanced_view(keep=1)
    with pytest.raises(TypeError, match="keep must be True or False, not 'yes'"):
        rc[:].map_async(abs, [1], keep="yes")
    with pytest.raises(ValueError, match="a function in C\\+\\+, whose engines keep no values"):
        rc.load_balanced_view(keep=True).apply_async(linden.NativeFunction("f"), 1)
    with pytest.raises(RuntimeError, match=r"give it one: kept\.attach\(rc\)"):
        Kept("c_1", None, 0, "value", 1).get()
