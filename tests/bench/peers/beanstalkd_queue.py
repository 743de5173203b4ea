"""beanstalkd with its log, never synced: survives kill -9 of the server, as Linden's ``process`` does."""

from pathlib import Path

from tests.bench.peers.daemon import Daemon

BODY = b"x" * 100
PUT = b"put 0 0 60 %d\r\n%s\r\n" % (len(BODY), BODY)


class BeanstalkdQueue:
    def __init__(self, folder: Path) -> None:
        path = folder / "s"
        self._daemon = Daemon(["beanstalkd", "-l", f"unix:{path}", "-b", str(folder), "-F"], path, folder)

    def put_take(self) -> None:
        self._daemon.send(PUT)
        self._daemon.line()
        self._daemon.send(b"reserve\r\n")
        self._delete([self._reserved()])

    def put_take_many(self, count: int) -> None:
        self._daemon.send(PUT * count + b"reserve\r\n" * count)
        for _ in range(count):
            self._daemon.line()
        self._delete([self._reserved() for _ in range(count)])

    def _reserved(self) -> bytes:
        word, job, size = self._daemon.line().split()
        assert word == b"RESERVED"
        assert self._daemon.body(int(size)) == BODY
        return job

    def _delete(self, jobs: list[bytes]) -> None:
        self._daemon.send(b"".join(b"delete %s\r\n" % job for job in jobs))
        for _ in jobs:
            assert self._daemon.line() == b"DELETED"

    def close(self) -> None:
        self._daemon.close()


def make_queue(_name: str, folder: Path) -> BeanstalkdQueue:
    return BeanstalkdQueue(folder)
