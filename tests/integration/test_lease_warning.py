"""P18: whoever holds a tuple is told when its lease is about to end because the server is away."""

import logging
import queue
import signal
from collections.abc import Callable
from logging.handlers import QueueHandler
from pathlib import Path
from typing import Any

import linden

Serve = Callable[..., Any]


def test_p18_a_holder_hears_of_a_server_that_is_gone(serve: Serve, scratch: Path) -> None:
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    handler = QueueHandler(records)
    logging.getLogger("linden.leases").addHandler(handler)
    server, _ = serve(durability="process")
    with linden.connect(f"unix:{scratch / 's'}", reconnect=60) as connection:
        space = connection.space("demo")
        space.put(("task", 17))
        held = space.reserve(("task", int), lease=0.5)
        assert not held.over

        server.child.signal(signal.SIGKILL)
        server.child.wait_ended()
        message = records.get(timeout=20).getMessage()
        assert "tuple 1, attempt 1, of space 'demo': ('task', 17)" in message
    logging.getLogger("linden.leases").removeHandler(handler)
