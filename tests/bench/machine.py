"""What the machine itself can do: the floor under every figure.  Ping-pong between two processes."""

import os
import socket
import statistics
import time
from collections.abc import Iterator

MESSAGE = b"x" * 100
UNITS = {"ping_pong_unix": "us", "ping_pong_tcp": "us"}


def ping_pong(family: int) -> float:
    """Microseconds of 100 bytes to another process and back, the median of many."""
    if family == socket.AF_UNIX:
        near, far = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            near = socket.create_connection(listener.getsockname())
            far, _ = listener.accept()
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    child = os.fork()
    if child == 0:
        near.close()
        while message := far.recv(4096):
            far.sendall(message)
        os._exit(0)
    far.close()
    samples = []
    for _ in range(5000):
        start = time.perf_counter()
        near.sendall(MESSAGE)
        near.recv(4096)
        samples.append(time.perf_counter() - start)
    near.close()
    os.waitpid(child, 0)
    return statistics.median(samples[500:]) * 1e6


def samples(wanted: list[str]) -> Iterator[tuple[str, float]]:
    for what, family in (("ping_pong_unix", socket.AF_UNIX), ("ping_pong_tcp", socket.AF_INET)):
        if what in wanted:
            yield what, ping_pong(family)
