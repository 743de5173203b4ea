"""The server and engines as processes of this machine."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .engine_command import as_member, engine_argv, engine_environment
from .engine_set import EngineSet
from .launcher import Job, JobState, JobStatus, LaunchError, MemberStatus
from .process import Child, end_processes, spawn, wait_processes
from .server_command import ServerOptions, server_argv

# Its stdin is a pipe whose other end the owner holds, so read fails once the owner has died.  Server and engines then end by
# themselves (--parent-pid), except an engine whose task does not let Python's other threads run: that is what the kill is for,
# which hits the process group, so that programs which tasks have started end too.  A server that is just ending may
# still make files, hence the loop around rm.  Jobs of other systems are in the cluster file ($2, with whatever runs `space-cluster` as
# $1); if they cannot be cancelled now everything stays, so that `space-cluster clean` can try again.
_JANITOR = """python=$1 cluster=$2
shift 2
pids=' '
while read -r verb pid; do
  case $verb in
    add) pids="$pids$pid " ;;
    forget) case "$pids" in *" $pid "*) pids="${pids%% $pid *} ${pids#* $pid }" ;; esac ;;
    done) exit 0 ;;
  esac
done
tries=0
while [ $tries -lt 20 ]; do
  alive=no
  for pid in $pids; do kill -0 $pid 2>/dev/null && alive=yes; done
  [ $alive = no ] && break
  sleep 0.1
  tries=$((tries + 1))
done
for pid in $pids; do kill -s KILL -- -$pid 2>/dev/null; done
if [ -e "$cluster/cluster.json" ] && ! grep -q '"jobs": \\[\\]' "$cluster/cluster.json"; then
  "$python" -m linden_launchers cancel-jobs --directory "$cluster" || exit 1
fi
tries=0
while [ $tries -lt 100 ]; do
  gone=yes
  for path in "$@"; do rm -rf -- "$path" 2>/dev/null; [ -e "$path" ] && gone=no; done
  [ $gone = yes ] && exit 0
  sleep 0.1
  tries=$((tries + 1))
done
exit 1
"""


@dataclass(frozen=True)
class ServerReady:
    """What a server says once it listens."""

    pid: int
    tcp: str | None  # "host:port", with the port that it has got


class LocalServer:
    """One space-server; it can be started again with the same directory and addresses."""

    def __init__(self, options: ServerOptions, log: Path) -> None:
        self.options = options
        self.log = log
        self.child: Child | None = None
        self._ready_fd = -1

    def start(self) -> Child:
        """Starts it without waiting until it listens.  Raises: LaunchError."""
        self._close_ready_fd()
        read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
        try:
            self.child = spawn(server_argv(self.options, ready_fd=write_fd), log=self.log, pass_fds=[write_fd])
        except BaseException:
            os.close(read_fd)
            raise
        finally:
            os.close(write_fd)
        self._ready_fd = read_fd
        return self.child

    def wait_ready(self, timeout_s: float) -> ServerReady:
        """Waits until it listens.  Raises: LaunchError: it ended before, with the last lines of its log; or too late."""
        assert self.child is not None
        line = self._read_ready_line(timeout_s)
        try:
            content = json.loads(line)
            tcp = content.get("tcp")
            ready = ServerReady(pid=content["pid"], tcp=tcp.removeprefix("tcp:") if tcp else None)
        except (ValueError, KeyError) as error:
            raise LaunchError(f"space-server said {line!r} where it should say how to reach it") from error
        self.options = self.options.with_tcp(ready.tcp)  # a restart keeps the port that the kernel chose
        return ready

    def _read_ready_line(self, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        line = b""
        poller = select.poll()
        poller.register(self._ready_fd, select.POLLIN)
        try:
            while not line.endswith(b"\n"):
                if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                    raise LaunchError(f"space-server does not listen after {timeout_s:g} s; see {self.log}")
                part = os.read(self._ready_fd, 4096)
                if not part:
                    raise LaunchError(self._why_it_ended())
                line += part
        finally:
            self._close_ready_fd()
        return line

    def _why_it_ended(self) -> str:
        assert self.child is not None
        # The pipe breaks a moment before the process is gone.
        if not wait_processes([self.child.id], 2.0):
            end_processes([self.child.id], grace_s=1.0)
        self.child.reap()
        return f"space-server {self.child.describe_end()} before it listened:\n{log_tail(self.log)}"

    def _close_ready_fd(self) -> None:
        if self._ready_fd >= 0:
            os.close(self._ready_fd)
            self._ready_fd = -1


class LocalLauncher:
    """Launcher: engines as children of this process."""

    def __init__(self, watch: Callable[[Child], None], *, grace_s: float = 5.0) -> None:
        """*watch* is called with every child; somebody has to reap them."""
        self._watch = watch
        self._grace_s = grace_s
        self._sets: dict[Job, EngineSet] = {}
        self._children: dict[Job, list[Child]] = {}

    def start(self, engine_set: EngineSet) -> Job:
        log = str(engine_set.log_directory / f"engine-{engine_set.name}-{{index}}.log")
        job = Job("local", engine_set.name, (engine_set.name,), engine_set.n, log)
        if any(other.engine_set == engine_set.name for other in self._sets):
            raise LaunchError(f"engine set {engine_set.name!r} has been started already")
        self._sets[job] = engine_set
        self._children[job] = []
        for index in range(engine_set.n):
            self._spawn(job, index)
        return job

    def status(self, jobs: Sequence[Job]) -> dict[Job, JobStatus]:
        return {
            job: JobStatus({index: _status(child) for index, child in enumerate(self._children[job])}) for job in jobs
        }

    def signal(self, job: Job, number: int, members: Iterable[int] | None = None) -> None:
        for child in self._chosen(job, members).values():
            child.signal(number)

    def stop(self, job: Job, members: Iterable[int] | None = None) -> JobStatus:
        chosen = self._chosen(job, members)
        survivors = end_processes([child.id for child in chosen.values()], grace_s=self._grace_s)
        if survivors:
            raise LaunchError(f"engines {[process.pid for process in survivors]} do not end, even by SIGKILL")
        return JobStatus({index: _end_of(child) for index, child in chosen.items()})

    def log(self, job: Job, member: int = 0, lines: int = 8) -> str:
        return log_tail(self._children[job][member].log, lines)

    def children(self, job: Job) -> list[Child]:
        """Engines of a set, ended ones included."""
        return list(self._children[job])

    def _chosen(self, job: Job, members: Iterable[int] | None) -> dict[int, Child]:
        children = dict(enumerate(self._children[job]))
        return children if members is None else {index: children[index] for index in sorted(set(members))}

    def restart(self, child: Child) -> Child | None:
        """Starts an engine in place of one that has ended; None if it is none of ours."""
        for job, children in self._children.items():
            if child in children:
                index = children.index(child)
                return self._spawn(job, index)
        return None

    def grow(self, job: Job, n: int) -> None:
        """Starts *n* more engines of a set."""
        children = self._children[job]
        first = max((index_of_log(child.log) for child in children), default=-1) + 1
        for index in range(first, first + n):
            child = spawn_engine(self._sets[job], index)
            children.append(child)
            self._watch(child)

    def forget(self, child: Child) -> None:
        """An engine that is not to be one of its set any more: its end is nobody's concern."""
        for children in self._children.values():
            if child in children:
                children.remove(child)

    def engine_set(self, job: Job) -> EngineSet:
        """What *job* was started with."""
        return self._sets[job]

    def _spawn(self, job: Job, index: int) -> Child:
        child = spawn_engine(self._sets[job], index)
        self._children[job][index : index + 1] = [child]
        self._watch(child)
        return child


def _status(child: Child) -> MemberStatus:
    if not child.has_ended():
        return MemberStatus(JobState.RUNNING)
    if child.exit_code is None:  # nobody has reaped it yet
        return MemberStatus(JobState.LOST, "it has ended, and its exit code is not known yet")
    return _end_of(child)


def _end_of(child: Child) -> MemberStatus:
    code = child.exit_code
    if code is None:
        return MemberStatus(JobState.CANCELLED)
    if code < 0:
        return MemberStatus(JobState.CANCELLED if -code == signal.SIGTERM else JobState.FAILED, signal=-code)
    return MemberStatus(JobState.FAILED if code else JobState.DONE, exit_code=code)


def index_of_log(log: Path | str) -> int:
    """Of the engine in its set, as its log's name tells, so that the one in its place goes on writing there."""
    return int(Path(log).stem.rpartition("-")[2])


def spawn_engine(engine_set: EngineSet, index: int) -> Child:
    """Start one engine of a set; somebody has to reap it.  Raises: LaunchError."""
    environment = engine_environment(engine_set, os.environ, python_path=engine_set.python_path)
    return spawn(
        engine_argv(engine_set),
        log=engine_set.log_of(index),
        environment=as_member(engine_set, environment, index),
        directory=engine_set.directory,
    )


class Janitor:
    """When this process has ended, by whatever cause: ends the children that are left, and removes directories."""

    def __init__(self, cluster: Path, directories: Sequence[Path]) -> None:
        """*cluster*: the directory of the cluster, whose jobs are cancelled. *directories*: what is removed."""
        read_fd, self._write_fd = os.pipe2(os.O_CLOEXEC)
        argv = ["/bin/sh", "-c", _JANITOR, "linden-janitor", sys.executable, str(cluster), *map(str, directories)]
        try:
            self._child = spawn(argv, log=Path(os.devnull), stdin=read_fd)
        except BaseException:
            os.close(self._write_fd)
            raise
        finally:
            os.close(read_fd)

    def add(self, pid: int) -> None:
        """Takes a child, which leads a process group, into care."""
        self._say(f"add {pid}")

    def forget(self, pid: int) -> None:
        """To be called when the child was reaped, since its pid may soon be somebody else's."""
        self._say(f"forget {pid}")

    def close(self) -> None:
        """There is nothing left to do."""
        self._say("done")
        os.close(self._write_fd)
        end_processes([self._child.id], grace_s=1.0)
        self._child.reap()

    def _say(self, words: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # somebody has killed it
            os.write(self._write_fd, f"{words}\n".encode())


def log_tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log, indented, for a message."""
    try:
        content = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        return f"  (no log: {error.strerror})"
    return "\n".join(f"  {line}" for line in content[-lines:]) or "  (its log is empty)"
