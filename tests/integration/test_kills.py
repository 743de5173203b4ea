"""F1: kill -9 of server, engine or client at random moments of a map.  Every task has exactly one result, and nothing that must
not run twice starts twice.  The moments come from a seed, which a failure shows as part of the test's name."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import linden
import pytest

ROUNDS = 20
TASKS = 40
TASK_S = 0.004


def squares(first: int) -> list[int]:
    return [number * number for number in range(first, first + TASKS)]


# F1
@pytest.mark.parametrize(("retries", "seed"), [(None, 1), (0, 2)])
def test_the_server_is_killed(
    farm: Callable[..., Any], look: Callable[..., Any], task_log: Any, retries: int | None, seed: int
) -> None:
    # Long enough for an engine to come back on a machine with much else to do; else it has rightly lost its place.
    cluster, rc = farm(2, restart_server=False, engine_hold=5.0)
    chance = random.Random(seed)
    view = rc.load_balanced_view()
    view.retries = retries
    for turn in range(ROUNDS):
        first = turn * TASKS
        result = view.map_async(task_log.task(TASK_S), range(first, first + TASKS), chunksize=1)
        time.sleep(chance.uniform(0, 0.12))
        os.kill(cluster.server_pid, signal.SIGKILL)
        cluster.restart_server()
        assert result.get(timeout=30) == squares(first)
    # Engines did not die, so nothing had a reason to start twice, retries or not.
    assert task_log.starts() == dict.fromkeys(range(ROUNDS * TASKS), 1)
    found = look(cluster)
    assert sorted(found.all().values()) == [1] * (ROUNDS * TASKS)
    assert not found.tasks()


# F1, F2
@pytest.mark.parametrize("seed", [3])
def test_an_engine_is_killed(farm: Callable[..., Any], look: Callable[..., Any], task_log: Any, seed: int) -> None:
    cluster, rc = farm(2, restart_engines=True, restarts_per_minute=1000)
    chance = random.Random(seed)
    view = rc.load_balanced_view()
    for turn in range(ROUNDS):
        first = turn * TASKS
        result = view.map_async(task_log.task(TASK_S), range(first, first + TASKS), chunksize=1)
        time.sleep(chance.uniform(0, 0.12))
        os.kill(chance.choice(cluster.engine_pids), signal.SIGKILL)
        assert result.get(timeout=30) == squares(first)
    starts = task_log.starts()
    assert set(starts) == set(range(ROUNDS * TASKS))
    # A kill costs the one task that was running; what was only prefetched starts once (F2).
    assert sum(starts.values()) <= ROUNDS * TASKS + ROUNDS
    found = look(cluster)
    assert sorted(found.all().values()) == [1] * (ROUNDS * TASKS)
    assert found.statuses() == {"ok": ROUNDS * TASKS}


# F1
@pytest.mark.parametrize("seed", [4])
def test_an_engine_is_killed_and_retries_are_0(
    farm: Callable[..., Any], look: Callable[..., Any], task_log: Any, seed: int
) -> None:
    cluster, rc = farm(2, restart_engines=True, restarts_per_minute=1000)
    chance = random.Random(seed)
    view = rc.load_balanced_view()
    view.retries = 0
    deaths = 0
    for turn in range(ROUNDS):
        first = turn * TASKS
        result = view.map_async(task_log.task(TASK_S), range(first, first + TASKS), chunksize=1)
        time.sleep(chance.uniform(0, 0.12))
        os.kill(chance.choice(cluster.engine_pids), signal.SIGKILL)
        values = result.get(timeout=30, return_exceptions=True)
        died = [value for value in values if isinstance(value, linden.error.EngineError)]
        # An engine that was killed while idle may cost a task of the next round: one that it was handed before the
        # server saw its connection end.
        deaths += len(died)
        assert deaths <= turn + 1
        right = squares(first)
        assert all(value == right[index] for index, value in enumerate(values) if value not in died)
    starts = task_log.starts()
    assert max(starts.values()) == 1
    found = look(cluster)
    assert sorted(found.all().values()) == [1] * (ROUNDS * TASKS)


SUBMITTER = """
import json, sys, linden

def make(path):
    def run(number):
        import os, time
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, f"{number} {os.getpid()}\\n".encode())
        os.close(descriptor)
        time.sleep(0.004)
        return number * number
    return run

connection, path, first, tasks = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
rc = linden.Client(connection)
print("connected", flush=True)
result = rc.load_balanced_view().map_async(make(path), range(first, first + tasks), chunksize=1)
print(json.dumps(result.msg_ids), flush=True)
result.get()
print("done", flush=True)
sys.stdin.read()
"""


# F1, F3: the submitter is gone, and somebody else fetches what it has submitted.
@pytest.mark.parametrize("seed", [5])
def test_the_client_is_killed(
    farm: Callable[..., Any],
    look: Callable[..., Any],
    task_log: Any,
    run_script: Callable[..., subprocess.Popen[str]],
    seed: int,
) -> None:
    cluster, rc = farm(2)
    chance = random.Random(seed)
    submitted = []
    for turn in range(ROUNDS):
        first = turn * TASKS
        script = run_script(SUBMITTER, str(cluster.connection_file), str(task_log.path), str(first), str(TASKS))
        assert script.stdout is not None
        assert script.stdout.readline() == "connected\n"
        time.sleep(chance.uniform(0, 0.12))
        script.kill()
        rest = script.stdout.read().splitlines()
        script.wait()
        if rest:
            submitted.append((first, json.loads(rest[0])))
    found = look(cluster)
    found.wait_until_no_task_is_left()
    assert submitted, "not one submission was complete before the kill: the moments are badly chosen"
    results = found.all()
    assert set(results.values()) == {1}
    starts = task_log.starts()
    assert set(starts.values()) == {1}
    assert sum(starts.values()) == len(results)
    for first, ids in submitted:
        assert rc.get_result(ids).get(timeout=20) == squares(first)
