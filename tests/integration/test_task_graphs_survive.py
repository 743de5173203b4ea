"""F1 for graphs of tasks: nobody has to stay.  The client is killed when it has submitted a graph, server and engine while it runs."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden
import pytest

from tests.integration.conftest import wait_for

WIDTH = 12
LAYERS = 6

# Layers of tasks, each task after all tasks of the layer before, with two of their results as arguments; the first layer waits for a file.
SUBMIT = textwrap.dedent(
    """
    import os, sys, signal, linden

    connection, go, width, layers = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    rc = linden.Client(connection)
    view = rc.load_balanced_view()

    def begin(path):
        import os, time
        deadline = time.monotonic() + 60
        while not os.path.exists(path):
            if time.monotonic() > deadline:
                raise TimeoutError(path)
            time.sleep(0.01)
        return 1

    def add(left, right):
        import time
        time.sleep(0.002)
        return left + right

    def fail():
        raise ValueError("on purpose")

    first = view.apply_async(begin, go)
    layer = [view.apply_async(add, first, place) for place in range(width)]
    for _ in range(layers):
        with view.temp_flags(after=layer):
            layer = [view.apply_async(add, layer[place - 1], layer[place]) for place in range(width)]
    with view.temp_flags(after=layer):
        last = view.apply_async(sum, layer)
    with view.temp_flags(after=first):
        bad = view.apply_async(fail)
    with view.temp_flags(after=[bad, *layer]):
        impossible = view.apply_async(abs, 1)
    rc.space.count(("nothing",))  # comes after the puts of all this (P9)
    print(last.msg_id, impossible.msg_id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
    """
)


def expected() -> int:
    layer = [1 + place for place in range(WIDTH)]
    for _ in range(LAYERS):
        layer = [layer[place - 1] + layer[place] for place in range(WIDTH)]
    return sum(layer)


# F1, F3, P24, P35
def test_a_graph_ends_though_its_client_the_server_and_an_engine_are_killed(
    farm: Callable[..., Any], look: Callable[..., Any], scratch: Path
) -> None:
    cluster, rc = farm(2, restart_server=False, restart_engines=True, restarts_per_minute=100, engine_hold=5.0)
    go = scratch / "go"
    program = [sys.executable, "-c", SUBMIT, str(cluster.connection_file), str(go), str(WIDTH), str(LAYERS)]
    client = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert client.returncode == -signal.SIGKILL, client.stderr
    last, impossible = client.stdout.split()

    os.kill(cluster.server_pid, signal.SIGKILL)  # while all of it waits
    cluster.restart_server()
    go.touch()
    session = last.rpartition("_")[0]
    done = ("result", session, int, "ok", list, linden.ANY)
    wait_for(lambda: rc.space.count(done) > WIDTH * 2, 60)
    os.kill(cluster.server_pid, signal.SIGKILL)  # while it runs
    cluster.restart_server()
    wait_for(lambda: rc.space.count(done) > WIDTH * 3, 60)
    os.kill(cluster.engine_pids[0], signal.SIGKILL)

    result, error = rc.get_result([last], block=False), rc.get_result(impossible, block=False)
    assert result.get(timeout=60) == [expected()]
    with pytest.raises(linden.ImpossibleDependency):
        error.get(60)
    wait_for(lambda: rc.space.count(("result", session, int, str, list, linden.ANY)) == WIDTH * (LAYERS + 1) + 4, 60)
    found = look(cluster)
    assert set(found.all().values()) == {1}  # one result each
    assert not found.tasks()


# P24
def test_two_thousand_tasks_in_a_row(farm: Callable[..., Any]) -> None:
    _, rc = farm(2)
    view = rc.load_balanced_view()
    result = view.apply_async(abs, 0)
    for _ in range(2000):
        result = view.apply_async(max, result, 1)
    assert result.get(timeout=60) == 1
    assert rc.space.count(("gate", rc.session, int, "ok", str)) == 2000
