"""What runs, as files, so that another shell can find it, join it and stop it.

``${LINDEN_HOME:-~/.linden}/clusters/<cluster_id>/``, mode 0700, holds
  cluster.json      the processes of the cluster: this module
  connection.json   how to reach its server: linden.connection_file
  log/              what the processes wrote
  data/             the server's directory, unless it was put elsewhere
  stopping          while somebody stops the cluster: nothing is to be restarted
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from linden.connection_file import CONNECTION_FILE, linden_home

from .launcher import Job, LaunchError
from .process import ProcessId, boot_id

FORMAT = 1
CLUSTER_FILE = "cluster.json"
# sockaddr_un holds 108 bytes; some room for programs that add a suffix while they bind.
SOCKET_PATH_MAX = 100
GROWN = "+"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class ProcessRecord:
    """One process of a cluster: which, and where it writes to."""

    pid: int
    started: int
    log: str
    engine_set: str = ""
    owned: bool = False  # the cluster's owner started it, and takes note of its end
    stopping: bool = False  # somebody ends it, so it is not to be started again

    @property
    def id(self) -> ProcessId:
        return ProcessId(self.pid, self.started)


@dataclass(frozen=True)
class JobRecord:
    """A job of another system that belongs to a cluster."""

    job: Job
    n: int  # engines that it was started for
    submitted: float = 0.0  # seconds since 1970
    ended: tuple[int, ...] = ()  # members that are known to have ended, and are struck off
    over: tuple[int, ...] = ()  # members that their system has said to have ended, since systems forget

    @property
    def set_name(self) -> str:
        """Of the engine set: a set that has grown has several jobs, called "2", "2+1", "2+2"."""
        return self.job.engine_set.partition(GROWN)[0]

    @property
    def engines_per_member(self) -> int:
        """All but perhaps the last have as many."""
        return -(-self.n // self.job.members)

    @property
    def open_members(self) -> list[int]:
        """Those that may run, or are to."""
        return [member for member in range(self.job.members) if member not in self.ended]

    @property
    def is_over(self) -> bool:
        """Whether nothing of it runs any more, as its system has said once."""
        return set(self.open_members) <= set(self.over)

    @property
    def open_engines(self) -> int:
        """The engines of these."""
        return sum(map(self.engines_of, self.open_members))

    def engines_of(self, member: int) -> int:
        """How many that member has."""
        return max(0, min(self.engines_per_member, self.n - member * self.engines_per_member))


@dataclass
class ClusterState:
    """The content of cluster.json."""

    cluster_id: str
    owner: ProcessRecord  # the process that watches over the others: a Python session, or space-cluster
    owner_kind: str  # "session", "detached" (a session that leaves the rest behind), "foreground" or "daemon"
    n: int  # engines wanted
    data_directory: str
    socket_file: str  # of the server
    temporary: bool = False  # all of its files go when it stops
    runtime_directory: str | None = None  # holds socket and data of a temporary cluster
    server: ProcessRecord | None = None
    engines: list[ProcessRecord] = field(default_factory=list)
    engine_sets: dict[str, dict[str, Any]] = field(default_factory=dict)  # EngineSet.to_dict by name
    # Sets whose engines are jobs of another system: which, and its launcher's options; and the jobs (job_sets.py).
    systems: dict[str, dict[str, Any]] = field(default_factory=dict)
    jobs: list[JobRecord] = field(default_factory=list)
    server_starts: int = 0
    restarts_engines: bool = False  # the owner starts an engine again when it dies
    host: str = field(default_factory=socket.gethostname)
    boot: str = field(default_factory=boot_id)
    format: int = FORMAT

    def is_of_this_machine(self) -> bool:
        """False: written on another host that shares the home directory."""
        return self.host == socket.gethostname()

    def alive(self, record: ProcessRecord | None) -> bool:
        return record is not None and self.boot == boot_id() and record.id.is_alive()

    def parent_pid(self) -> int | None:
        """The process with which engines are to end, if any.

        A daemon's outlive it, since everything that runs goes on without it and space-cluster stop finds them by the cluster
        file.  What belongs to a session or a terminal ends with it, even if that was killed.
        """
        return None if self.owner_kind in ("daemon", "detached") else self.owner.pid

    def running_engines(self) -> list[ProcessRecord]:
        """Those that run now."""
        return [record for record in self.engines if self.alive(record)]

    def runs_set(self, name: str) -> bool:
        """Whether any engine of that set does."""
        return any(record.engine_set == name for record in self.running_engines())

    def has_set(self, name: str) -> bool:
        """Whether engines of that set run here, or are jobs of another system."""
        return name in self.systems or self.runs_set(name)

    def new_set_name(self) -> str:
        """A name that no engine set of this cluster has had."""
        return str(max((int(name) for name in self.engine_sets if name.isdigit()), default=0) + 1)

    def runs(self) -> bool:
        """Whether any process of the cluster on this machine, other than its owner's, is alive."""
        return any(self.alive(record) for record in [self.server, *self.engines])

    def jobs_of(self, set_name: str | None) -> list[JobRecord]:
        """The jobs of a set; None: all."""
        return [record for record in self.jobs if set_name in (None, record.set_name)]

    @property
    def n_of_jobs(self) -> int:
        """Engines that are to come from other systems."""
        return sum(int(self.engine_sets[name]["n"]) for name in self.systems)


def cluster_directory(cluster_id: str, home: Path | None = None) -> Path:
    """Where the files of a cluster are, below $LINDEN_HOME or *home*.

    Raises: LaunchError: the name is not fit to be the name of a directory.
    """
    if not _NAME.fullmatch(cluster_id):
        raise LaunchError(
            f"cluster id {cluster_id!r}: 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit"
        )
    return (home or linden_home()) / "clusters" / cluster_id


def make_private_directory(path: Path) -> Path:
    """Makes *path* and its parents; only this user may look into it.  Raises: LaunchError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_uid != os.getuid():
            raise LaunchError(f"{path} belongs to another user; set LINDEN_HOME to a directory of yours")
        path.chmod(0o700)
    except OSError as error:
        raise LaunchError(
            f"cannot make directory {path}: {error.strerror}; set LINDEN_HOME to a directory that can be written"
        ) from error
    return path


def socket_path(directory: Path) -> Path:
    """A path for the server's Unix socket: in *directory* if that is short enough, otherwise in a short private one that depends on it."""
    path = directory / "space.sock"
    if len(os.fsencode(path)) < SOCKET_PATH_MAX:
        return path
    digest = hashlib.sha256(os.fsencode(directory.absolute())).hexdigest()[:16]
    for base in (os.environ.get("XDG_RUNTIME_DIR"), f"/tmp/linden-{os.getuid()}"):
        if base and len(os.fsencode(base)) < SOCKET_PATH_MAX - 40:
            return make_private_directory(Path(base, f"linden-{digest}")) / "space.sock"
    raise AssertionError("the path below /tmp is always short")


def write_private_json(path: Path, content: dict[str, Any]) -> None:
    """Replaces *path* in one step, mode 0600: a reader sees the old or the new content, never a part."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.write("\n")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


class InDirectory:
    """What has the folder of a cluster."""

    directory: Path

    @property
    def connection_file(self) -> Path:
        return self.directory / CONNECTION_FILE

    @property
    def cluster_file(self) -> Path:
        return self.directory / CLUSTER_FILE


def write_cluster_file(directory: Path, state: ClusterState) -> None:
    write_private_json(directory / CLUSTER_FILE, state_as_dict(state))


def state_as_dict(state: ClusterState) -> dict[str, Any]:
    """As JSON has it."""
    jobs = [{**asdict(record), "job": record.job.to_dict(), "ended": list(record.ended)} for record in state.jobs]
    return {**asdict(replace(state, jobs=[])), "jobs": jobs}


def read_cluster_file(directory: Path) -> ClusterState | None:
    """None if there is no such cluster.  Raises: LaunchError: the file is damaged, or of a later version of Linden."""
    path = directory / CLUSTER_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LaunchError(f"cannot read {path}: {error}; if nothing of it runs any more, remove {directory}") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found != FORMAT:
        raise LaunchError(f"{path} has format {found}, this version reads {FORMAT}")
    try:
        content["owner"] = ProcessRecord(**content["owner"])
        content["server"] = ProcessRecord(**content["server"]) if content["server"] else None
        content["engines"] = [ProcessRecord(**record) for record in content["engines"]]
        content["jobs"] = [
            JobRecord(
                Job.from_dict(record["job"]),
                record["n"],
                record["submitted"],
                tuple(record["ended"]),
                tuple(record.get("over", ())),
            )
            for record in content.get("jobs", [])
        ]
        return ClusterState(**content)
    except (KeyError, TypeError) as error:
        raise LaunchError(f"{path} is damaged ({error}); if nothing of it runs any more, remove {directory}") from error


def cluster_directories(home: Path | None = None) -> Iterator[Path]:
    """Of every cluster that has a cluster file, by name."""
    for path in sorted(((home or linden_home()) / "clusters").glob(f"*/{CLUSTER_FILE}")):
        yield path.parent


def has_cluster(directory: Path) -> bool:
    """Whether it has a cluster file."""
    return (directory / CLUSTER_FILE).exists()


def remove_files(directory: Path, state: ClusterState) -> None:
    """Leaves of a stopped cluster its data and logs, or nothing if it was temporary."""
    for name in (CONNECTION_FILE, CLUSTER_FILE, "stopping"):
        (directory / name).unlink(missing_ok=True)
    socket_file = Path(state.socket_file)
    socket_file.unlink(missing_ok=True)  # a server that was killed could not
    if socket_file.parent != directory:
        with suppress(OSError):
            socket_file.parent.rmdir()
    if state.temporary:
        shutil.rmtree(directory, ignore_errors=True)
        if state.runtime_directory:
            shutil.rmtree(state.runtime_directory, ignore_errors=True)


def sweep_temporary() -> None:
    """Removes the files of temporary clusters whose processes are gone, as after a power cut."""
    for directory in cluster_directories():
        try:
            state = read_cluster_file(directory)
        except LaunchError:
            continue
        if (
            state
            and state.temporary
            and not state.jobs  # space-cluster clean cancels them
            and state.is_of_this_machine()
            and not state.alive(state.owner)
            and not state.runs()
        ):
            remove_files(directory, state)


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """One process at a time decides whether the cluster of this directory is to be started."""
    with (directory / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def changing(directory: Path) -> Iterator[ClusterState]:
    """The content of the cluster file, which is written back at the end; no other process changes it meanwhile.

    Raises: LaunchError: the cluster has stopped.
    """
    try:
        with exclusive(directory):
            state = read_cluster_file(directory)
            if state is None:
                raise LaunchError(f"cluster {directory.name!r} has stopped")
            yield state
            write_cluster_file(directory, state)
    except FileNotFoundError as error:
        raise LaunchError(f"cluster {directory.name!r} has stopped, and its files are gone") from error
