"""Redis as a queue, by a list (no acknowledgement: what was taken is lost with its taker) or a stream with a consumer group.

Its log is written before each answer and synced once a second, which survives kill -9 of the server, as Linden's ``process`` does.
"""

from pathlib import Path
from typing import Any

from tests.bench.peers.daemon import Daemon

BODY = b"x" * 100


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Redis:
    def __init__(self, folder: Path) -> None:
        options = {
            "--port": "0",
            "--unixsocket": str(folder / "s"),
            "--dir": str(folder),
            "--appendonly": "yes",
            "--appendfsync": "everysec",
            "--save": "",
        }
        argv = ["redis-server", *(word for option in options.items() for word in option)]
        self._daemon = Daemon(argv, folder / "s", folder)

    def send(self, *commands: bytes) -> None:
        self._daemon.send(b"".join(commands))

    def answer(self) -> Any:
        line = self._daemon.line()
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self._daemon.body(int(rest))
        if kind == b"*":
            return None if rest == b"-1" else [self.answer() for _ in range(int(rest))]
        return rest

    def close(self) -> None:
        self._daemon.close()


class ListQueue(Redis):
    PUT = command(b"RPUSH", b"jobs", BODY)
    TAKE = command(b"BLPOP", b"jobs", b"0")

    def put_take(self) -> None:
        self.send(self.PUT)
        self.answer()
        self.send(self.TAKE)
        assert self.answer()[1] == BODY

    def put_take_many(self, count: int) -> None:
        self.send(self.PUT * count, self.TAKE * count)
        for _ in range(2 * count):
            self.answer()


class StreamQueue(Redis):
    """A taken entry is acknowledged and deleted: what a take is in Linden."""

    PUT = command(b"XADD", b"jobs", b"*", b"body", BODY)
    TAKE = command(
        b"XREADGROUP", b"GROUP", b"workers", b"one", b"COUNT", b"1", b"BLOCK", b"0", b"STREAMS", b"jobs", b">"
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.send(command(b"XGROUP", b"CREATE", b"jobs", b"workers", b"$", b"MKSTREAM"))
        self.answer()

    def put_take(self) -> None:
        self.send(self.PUT)
        self.answer()
        self.send(self.TAKE)
        self._finish([self.answer()])

    def put_take_many(self, count: int) -> None:
        self.send(self.PUT * count, self.TAKE * count)
        answers = [self.answer() for _ in range(2 * count)]
        self._finish(answers[count:])

    def _finish(self, taken: list[Any]) -> None:
        ids = [entry[0] for answer in taken for _, entries in answer for entry in entries]
        self.send(*(command(b"XACK", b"jobs", b"workers", id) + command(b"XDEL", b"jobs", id) for id in ids))
        for _ in range(2 * len(ids)):
            self.answer()


def make_queue(name: str, folder: Path) -> Redis:
    return ListQueue(folder) if name == "redis-list" else StreamQueue(folder)
