"""P28, F1: collecting while the server is killed, again and again."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import linden

Serve = Callable[..., Any]
KILLS = 5
TOKENS = 20


def test_p28_a_killed_server_leaves_nothing_in_both_spaces_or_in_none(serve: Serve, scratch: Path) -> None:
    server, _ = serve(durability="process")
    with linden.connect(f"unix:{scratch / 's'}", reconnect=60) as connection:
        one, other = connection.space("demo"), connection.space("other")
        one.put_many([("token", number) for number in range(TOKENS)])
        steps = 0
        over = threading.Event()

        def to_and_fro() -> None:
            nonlocal steps
            source, target = one, other
            while not over.is_set():
                assert source.collect(target, ("token", int)) == TOKENS
                source, target = target, source
                steps += 1

        thread = threading.Thread(target=to_and_fro)
        thread.start()
        for _ in range(KILLS):
            before = steps
            while steps < before + 5 and thread.is_alive():
                pass
            server.child.signal(signal.SIGKILL)
            server.child.wait_ended()
            server.start()
            server.wait_ready(20)
        over.set()
        thread.join(60)
        found = sorted(one.list(("token", int)) + other.list(("token", int)))
        assert found == [("token", number) for number in range(TOKENS)]
