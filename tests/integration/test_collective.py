"""Tasks that work together while engines, the server, or the wish of their client come to an end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import pytest
from linden import farm as tuples
from linden.error import CompositeError, EngineError, NoGroup, RankFailed, RanksDisagree, TaskAborted

Farm = Callable[..., Any]
WITHIN_S = 30


def left_in(rc: linden.Client) -> list[Any]:
    return rc.space.list(("collective", *[linden.ANY] * 6))


def work_together(rounds: int, marker: str = "") -> tuple[int, int, float]:
    from pathlib import Path

    import numpy
    from linden import collective

    group = collective.group()
    value = numpy.full(4, float(group.rank + 1))
    for turn in range(rounds):
        value = group.allreduce(value) / group.size
        if marker and turn == 3 and group.rank == 0:
            Path(marker).touch()
    return group.rank, group.size, float(value[0])


def wait_while_others_come(markers: str) -> None:
    """All ranks wait for the last one, which leaves a note of its process and never comes."""
    import os
    import time
    from pathlib import Path

    from linden import collective

    group = collective.group()
    group.barrier()
    if group.rank == group.size - 1:
        (Path(markers) / "last").write_text(str(os.getpid()))
        while True:
            time.sleep(60)
    (Path(markers) / f"waits{group.rank}").touch()
    group.allreduce(1)


def test_the_tasks_of_a_call_are_a_group(farm: Farm) -> None:
    _, rc = farm(3)
    view = rc[:]
    assert view.apply_sync(work_together, 5) == [(0, 3, 2.0), (1, 3, 2.0), (2, 3, 2.0)]
    assert rc[1:].apply_sync(work_together, 2) == [(0, 2, 1.5), (1, 2, 1.5)]
    assert rc[2].apply_sync(work_together, 2) == (0, 1, 1.0)
    assert view.map_sync(lambda x: linden.collective.group().allreduce(x), [1, 2, 3]) == [6, 6, 6]
    view.execute("import linden.collective; n = linden.collective.group().allreduce(1)", block=True)
    assert view["n"] == [3, 3, 3]
    assert left_in(rc) == []


def test_tasks_by_themselves_are_no_group(farm: Farm) -> None:
    _, rc = farm(1)
    with pytest.raises(NoGroup, match="is by itself"):
        rc.load_balanced_view().apply_sync(work_together, 1)
    # Two tasks of one engine would wait for each other.
    with pytest.raises(CompositeError) as caught:
        rc[[0, 0]].apply_sync(work_together, 1)
    assert all(isinstance(error, NoGroup) for error in caught.value.errors)


def test_an_engine_is_killed_and_all_others_are_told(farm: Farm, scratch: Path, wait_for: Callable[..., None]) -> None:
    """P19, P25: the space says it by the will of a tuple that lives with the engine's session."""
    _, rc = farm(4)
    result = rc[:].apply_async(wait_while_others_come, str(scratch))
    wait_for(lambda: len(list(scratch.glob("waits*"))) == 3 and (scratch / "last").exists(), WITHIN_S)
    os.kill(int((scratch / "last").read_text()), signal.SIGKILL)
    *told, dead = result.get(timeout=WITHIN_S, return_exceptions=True)
    assert isinstance(dead, EngineError)
    for error in told:
        assert isinstance(error, RankFailed)
        assert "rank 3" in str(error)
    assert left_in(rc) == []
    # The others are as they were.
    assert rc[:].apply_sync(work_together, 1) == [(0, 3, 2.0), (1, 3, 2.0), (2, 3, 2.0)]


def test_the_server_is_killed_and_they_go_on(farm: Farm, scratch: Path, wait_for: Callable[..., None]) -> None:
    cluster, rc = farm(2, restart_server=False, engine_hold=5.0)
    for turn in range(3):
        marker = scratch / f"marker{turn}"
        result = rc[:].apply_async(work_together, 200, str(marker))
        wait_for(marker.exists, WITHIN_S)
        os.kill(cluster.server_pid, signal.SIGKILL)
        cluster.restart_server()
        assert result.get(timeout=WITHIN_S) == [(0, 2, 1.5), (1, 2, 1.5)]
        assert left_in(rc) == []


def test_whoever_waits_can_be_cancelled(farm: Farm, scratch: Path, wait_for: Callable[..., None]) -> None:
    """F6"""
    _, rc = farm(2)
    result = rc[:].apply_async(wait_while_others_come, str(scratch))
    wait_for((scratch / "last").exists, WITHIN_S)
    assert result.cancel()
    errors = result.get(timeout=WITHIN_S, return_exceptions=True)
    assert all(isinstance(error, (TaskAborted, RankFailed)) for error in errors)
    assert left_in(rc) == []
    assert rc[:].apply_sync(work_together, 1) == [(0, 2, 1.5), (1, 2, 1.5)]


def test_errors_of_ranks_reach_the_client_as_what_they_are(farm: Farm) -> None:
    _, rc = farm(2)

    def disagree() -> Any:
        import numpy
        from linden import collective

        group = collective.group()
        return group.allreduce(numpy.ones(3 + group.rank))

    errors = rc[:].apply_async(disagree).get(timeout=WITHIN_S, return_exceptions=True)
    assert isinstance(errors[0], RanksDisagree)
    assert "rank 0 came to allreduce (sum) of an array of shape (3,), and rank 1 to" in str(errors[0])
    assert isinstance(errors[1], (RanksDisagree, RankFailed))

    def fail() -> None:
        from linden import collective

        if collective.group().rank == 1:
            raise ValueError("on purpose")
        collective.group().barrier()

    errors = rc[:].apply_async(fail).get(timeout=WITHIN_S, return_exceptions=True)
    assert isinstance(errors[0], RankFailed)
    assert "rank 1 on engine 1 has failed: ValueError: on purpose" in str(errors[0])
    assert isinstance(errors[1], ValueError)


def test_large_values_go_by_reference_and_are_let_go_of(farm: Farm) -> None:
    """However long a group iterates, no more is held than what the others have yet to receive."""
    _, rc = farm(3)

    def reduce(rounds: int) -> tuple[bool, bool, int]:
        from pathlib import Path

        import numpy
        from linden import collective

        group = collective.group()
        value = numpy.full(300_000, float(group.rank))
        right = all((group.allreduce(value) == 3.0).all() for _ in range(rounds))
        received = group.broadcast(value)
        spans = [
            line.split()[0].split("-") for line in Path("/proc/self/maps").read_text().splitlines() if "linden-" in line
        ]
        is_shared = any(int(start, 16) <= received.ctypes.data < int(end, 16) for start, end in spans)
        group.barrier()
        group.barrier()
        return right, is_shared, len(group._post._lent)

    results = rc[:].apply_async(reduce, 6).get(timeout=WITHIN_S)
    assert results == [(True, rank != 0, 0) for rank in range(3)]
    assert left_in(rc) == []


def test_a_large_message_is_there_when_its_sender_has_ended(farm: Farm, scratch: Path) -> None:
    _, rc = farm(2)

    def pass_on(directory: str) -> float:
        import time
        from pathlib import Path

        import numpy
        from linden import collective

        group = collective.group()
        ended = Path(directory) / "ended"
        if group.rank == 0:
            group.send(1, numpy.ones(300_000))
            return 0.0
        deadline = time.monotonic() + 20
        while not ended.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return float(group.receive(0).sum())

    result = rc[:].apply_async(pass_on, str(scratch))
    first, second = result.split()
    assert first.get(timeout=WITHIN_S) == 0.0
    (scratch / "ended").touch()
    assert second.get(timeout=WITHIN_S) == 300_000.0
    assert left_in(rc) == []


def test_purging_removes_what_a_call_has_left(farm: Farm) -> None:
    """Such as a call whose last task was killed when the others had ended."""
    _, rc = farm(1)
    result = rc[:].apply_async(work_together, 1)
    result.get(timeout=WITHIN_S)
    client, number = tuples.parse_message_id(result.msg_id)
    rc.space.put(("collective", client, number, "failed", 1, -1, "its engine died"))
    rc.purge_hub_results(result)
    assert left_in(rc) == []
