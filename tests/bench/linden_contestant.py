"""Linden as a contestant.  The server's durability is ``process`` throughout."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import linden

from tests.bench.hub import resident_bytes
from tests.bench.work import noop

BODY = b"x" * 100
BROADCASTS = True
HAS_HUB = True
HAS_GRAPHS = True


class LindenFarm:
    def __init__(self, workers: int) -> None:
        self._client = linden.start(workers)
        self._view = self._client.load_balanced_view()

    def call(self) -> None:
        self._view.apply_sync(noop)

    def map(self, function: Callable[[Any], Any], items: Iterable[Any], chunk: int | str) -> list[Any]:
        return list(self._view.map_sync(function, items, chunksize=chunk))

    def broadcast(self) -> None:
        self._client[:].apply_sync(noop)

    def close(self) -> None:
        self._client.shutdown(hub=True)


class LindenMover:
    def __init__(self, workers: int) -> None:
        self._client = linden.start(workers)
        self._view = self._client[:]
        self._view.block = True
        self._view.execute("import numpy")

    def push(self, array: Any) -> None:
        self._view.push({"whole": array})

    def scatter(self, array: Any) -> None:
        self._view.scatter("part", array)

    def make_parts(self, size: int, seed: int) -> None:
        self._view.clear()
        self._view.execute("import numpy, os")
        self._client.purge_everything()  # as dask does when the last future is dropped
        end = time.monotonic() + 10
        while self._client.submitter.data.node.usage()["count"] and time.monotonic() < end:
            time.sleep(0.05)
        self._view.execute(f"made = numpy.arange({size} // 8) + {seed} * os.getpid()")

    def gather(self) -> Any:
        return self._view.gather("made")

    def server_bytes(self) -> int:
        return resident_bytes(self._client)

    def close(self) -> None:
        self._client.shutdown(hub=True)


class LindenQueue:
    def __init__(self, folder: Path) -> None:
        socket = folder / "s"
        reader, writer = os.pipe()
        self._server = subprocess.Popen(
            ["space-server", "--directory", folder / "data", "--unix", socket, "--ready-fd", str(writer)],
            pass_fds=[writer],
            stderr=subprocess.DEVNULL,
        )
        os.close(writer)
        with open(reader) as ready:
            json.loads(ready.readline())
        self._client = linden.connect(f"unix:{socket}")
        self._space = self._client.space("bench", create=True)

    def put_take(self) -> None:
        self._space.put(("job", BODY))
        self._space.take(("job", bytes))

    def put_take_many(self, count: int) -> None:
        answers = [self._space.put_async(("job", BODY)) for _ in range(count)]
        answers += [self._space.take_async(("job", bytes)) for _ in range(count)]
        for answer in answers:
            answer.result()

    def close(self) -> None:
        self._client.close()
        self._server.terminate()
        self._server.wait(10)


def make_farm(workers: int) -> LindenFarm:
    return LindenFarm(workers)


def make_mover(workers: int) -> LindenMover:
    return LindenMover(workers)


def make_queue(_name: str, folder: Path) -> LindenQueue:
    return LindenQueue(folder)
