"""Large data whose host has gone: results are made again from their tasks, if these may run twice, and else the error says why not."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import numpy as np
import pytest
from linden.data import DataLost

Farm = Callable[..., Any]
Hosts = tuple[Any, Path, Path]
MB = 1 << 20
WITHIN_S = 60


def make(log: str, seed: int, *_more: Any) -> Any:
    """Something large, and a line in a file for each run."""
    import os

    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{seed}\n".encode())
    os.close(descriptor)
    return np.full(3 * MB, seed, dtype=np.uint8)


def total(value: Any) -> int:
    return int(value.astype("int64").sum())


@pytest.fixture
def log(scratch: Path) -> Path:
    return scratch / "log"


def runs(log: Path) -> list[int]:
    return sorted(map(int, log.read_text().splitlines()))


def lose(memory: Path) -> None:
    """As if the host were gone; nobody has the files mapped."""
    for path in memory.glob("linden-*/kept/*"):
        path.unlink()


def hold(gate: str) -> None:
    import time
    from pathlib import Path

    Path(gate + "-reached").touch()
    deadline = time.monotonic() + 60
    while not Path(gate).exists() and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.fixture
def from_other_host(hosts: Hosts, scratch: Path, log: Path, wait_for: Callable[..., None]) -> Callable[..., Any]:
    """``from_other_host(submit)``: results of the engine on the other host, which is dead then."""
    rc, _, _ = hosts

    def run(submit: Callable[[Any], Any]) -> Any:
        gate = scratch / "gate"
        busy = rc[0].apply_async(hold, str(gate))
        wait_for((scratch / "gate-reached").exists, WITHIN_S)
        result = submit(rc.load_balanced_view())
        assert result.wait(WITHIN_S)
        assert result.engine_id == 1
        [pid] = [each.info["pid"] for each in rc.engines() if each.id == 1]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: 1 not in rc.ids, WITHIN_S)
        gate.touch()
        busy.get(WITHIN_S)
        return result

    return run


def test_a_result_whose_host_was_killed_is_made_again(from_other_host: Callable[..., Any], log: Path) -> None:
    result = from_other_host(lambda view: view.apply_async(make, str(log), 7))
    for _ in range(2):
        assert total(result.get(WITHIN_S)) == 7 * 3 * MB
        assert runs(log) == [7, 7]
        assert result.engine_id == 0


def test_what_uses_a_lost_result_makes_it_again_where_it_runs(
    hosts: Hosts, from_other_host: Callable[..., Any], log: Path
) -> None:
    """Also what it was made of; the client that gave it may be gone."""
    rc, _, _ = hosts
    second = from_other_host(
        lambda view: view.apply_async(lambda value: value * 2, view.apply_async(make, str(log), 3))
    )
    sums = rc.load_balanced_view().map_sync(lambda _, value: int(value.sum()), range(4), [second] * 4)
    assert sums == [6 * 3 * MB] * 4
    assert runs(log) == [3, 3]


def test_items_of_a_map_are_made_again_and_iterations_and_coroutines_wait_for_them(
    farm: Farm, scratch: Path, log: Path
) -> None:
    _, rc = farm(2)

    def some(first: int) -> Any:
        result = rc.load_balanced_view().map_async(make, [str(log)] * 4, range(first, first + 4), chunksize=2)
        result.wait(WITHIN_S)
        lose(scratch / "shm")
        return result

    async def wait() -> list[int]:
        return list(map(total, await some(20)))

    async def iterate() -> list[int]:
        return [total(value) async for value in some(30)]

    assert list(map(total, some(0).get(WITHIN_S))) == [seed * 3 * MB for seed in range(4)]
    assert list(map(total, some(10))) == [seed * 3 * MB for seed in range(10, 14)]
    assert asyncio.run(asyncio.wait_for(wait(), WITHIN_S)) == [seed * 3 * MB for seed in range(20, 24)]
    assert asyncio.run(asyncio.wait_for(iterate(), WITHIN_S)) == [seed * 3 * MB for seed in range(30, 34)]
    assert runs(log) == sorted([first + n for first in (0, 10, 20, 30) for n in range(4)] * 2)


def test_whole_and_parts_are_made_again_once(farm: Farm, scratch: Path, log: Path) -> None:
    _, rc = farm(2)
    view = rc.load_balanced_view()
    one, other = (view.apply_async(make, str(log), seed) for seed in (1, 2))
    both = linden.AsyncResult.join(one, other)
    both.wait(WITHIN_S)
    lose(scratch / "shm")
    assert list(map(total, both.get(WITHIN_S))) == [3 * MB, 6 * MB]
    assert total(one.get(WITHIN_S)) == 3 * MB
    assert total(rc.get_result(one.msg_id).get(WITHIN_S)) == 3 * MB
    assert runs(log) == [1, 1, 2, 2]
    assert set(rc.history) == {one.msg_id, other.msg_id}


def test_an_error_of_the_second_run_is_the_result(farm: Farm, scratch: Path) -> None:
    _, rc = farm(1)

    def once(marker: str) -> Any:
        from pathlib import Path

        if Path(marker).exists():
            raise ValueError("a second time")
        Path(marker).touch()
        return np.zeros(3 * MB, dtype=np.uint8)

    result = rc.load_balanced_view().apply_async(once, str(scratch / "marker"))
    result.wait(WITHIN_S)
    lose(scratch / "shm")
    with pytest.raises(ValueError, match="a second time"):
        result.get(WITHIN_S)


def test_while_it_is_made_again_get_waits_no_longer_than_it_may(farm: Farm, scratch: Path, log: Path) -> None:
    _, rc = farm(1)
    result = rc.load_balanced_view().apply_async(make, str(log), 5)
    result.wait(WITHIN_S)
    lose(scratch / "shm")

    busy = rc[0].apply_async(hold, str(scratch / "gate"))
    with pytest.raises(TimeoutError, match="runs once more, and has not ended in time"):
        result.get(0.1)
    (scratch / "gate").touch()
    assert total(result.get(WITHIN_S)) == 5 * 3 * MB
    busy.get(WITHIN_S)
    assert runs(log) == [5, 5]


def test_what_must_not_run_twice_or_cannot_is_said_to_be_lost(farm: Farm, scratch: Path, log: Path) -> None:
    """F1: nobody runs `retries=0` work twice."""
    _, rc = farm(1)
    anyone = rc.load_balanced_view()
    never = rc.load_balanced_view(retries=0).apply_async(make, str(log), 1)
    direct = rc[0].apply_async(make, str(log), 2)
    large = anyone.apply_async(make, str(log), 3, b"x" * 100_000)
    purged = anyone.apply_async(make, str(log), 4)
    rc.wait([never, direct, large, purged], timeout=WITHIN_S)
    rc.purge_hub_results(purged)
    lose(scratch / "shm")
    for result, why in (
        (never, "must not run twice: it was given with retries=0"),
        (direct, "or by a direct view"),
        (large, "arguments were large"),
        (purged, "its result was purged"),
    ):
        with pytest.raises(DataLost, match=f"not made again: .*{why}"):
            result.get(WITHIN_S)
    with pytest.raises(DataLost, match="must not run twice"):
        anyone.apply_async(total, never).get(WITHIN_S)
    assert runs(log) == [1, 2, 3, 4]
    # Whoever knows better may say so.
    assert total(rc.resubmit(direct.msg_id).get(WITHIN_S)) == 2 * 3 * MB


def test_what_is_lost_again_is_said_to_be_lost(farm: Farm, log: Path) -> None:
    _, rc = farm(1)

    def forgetful(log):  # type: ignore[no-untyped-def]
        """Returns something that is lost as soon as it is there."""

        def fail():  # type: ignore[no-untyped-def]
            from linden.data import DataLost

            raise DataLost("its bytes are nowhere")

        class Gone:
            def __reduce__(self):  # type: ignore[no-untyped-def]
                return fail, ()

        with open(log, "a") as file:
            file.write("0\n")
        return Gone()

    with pytest.raises(DataLost, match="its bytes are nowhere"):
        rc.load_balanced_view().apply_async(forgetful, str(log)).get(WITHIN_S)
    assert runs(log) == [0, 0]
