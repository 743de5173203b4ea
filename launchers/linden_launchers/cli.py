"""space-cluster: start | status | stop | list."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linden.connection_file import DEFAULT_CLUSTER_ID

from . import cluster_file
from .cluster import Cluster
from .launcher import LaunchError
from .process import spawn
from .running_cluster import ClusterStatus, RunningCluster
from .server_command import DURABILITIES

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NO_CLUSTER, EXIT_DEGRADED = 0, 1, 2, 3, 4

_EPILOG = """\
exit codes:
  0  done; for status: everything runs
  1  something failed; the message says what
  2  wrong usage
  3  there is no such cluster
  4  status: something of the cluster is missing

Files are in ${LINDEN_HOME:-~/.linden}/clusters/<cluster id>/: connection.json, cluster.json, log/, data/.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except LaunchError as error:
        print(f"space-cluster: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="space-cluster",
        description="Starts and stops a space server with engines on this machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    start = commands.add_parser(
        "start", help="start a server and engines; Ctrl-C stops them", formatter_class=parser.formatter_class
    )
    start.add_argument("-n", "--n", type=int, default=None, metavar="N", help="engines (default: one per processor)")
    _add_cluster_id(start)
    start.add_argument(
        "--daemonize", action="store_true", help="return once all engines serve; 'space-cluster stop' ends it"
    )
    start.add_argument(
        "--durability",
        choices=DURABILITIES,
        default="process",
        help="what survives: nothing, a crash of the server, power loss",
    )
    start.add_argument("--tcp", metavar="HOST:PORT", help="listen there as well as on the Unix socket; port 0: any")
    start.add_argument(
        "--data", type=Path, metavar="DIR", help="where the server keeps its data (default: in the cluster's directory)"
    )
    start.add_argument(
        "--restart-engines", action="store_true", help="start an engine again when it dies (the server always is)"
    )
    start.add_argument(
        "--timeout", type=float, default=60.0, metavar="S", help="how long the engines may take to serve (default: 60)"
    )
    start.add_argument("--supervise-fd", type=int, default=None, help=argparse.SUPPRESS)
    start.set_defaults(run=_start)

    status = commands.add_parser("status", help="show what runs")
    _add_cluster_id(status)
    status.add_argument("--json", action="store_true", help="as JSON")
    status.set_defaults(run=_status)

    stop = commands.add_parser("stop", help="end a cluster: SIGTERM, then SIGKILL")
    _add_cluster_id(stop)
    stop.add_argument("--all", action="store_true", help="every cluster of this user on this machine")
    stop.set_defaults(run=_stop)

    listing = commands.add_parser("list", help="list the clusters of this user")
    listing.add_argument("--json", action="store_true", help="as JSON")
    listing.set_defaults(run=_list)
    return parser


def _add_cluster_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cluster-id", default=DEFAULT_CLUSTER_ID, metavar="ID", help=f"its name (default: {DEFAULT_CLUSTER_ID})"
    )


# start


def _start(options: argparse.Namespace) -> int:
    if options.n is not None and options.n < 0:
        print("space-cluster: -n wants a number of engines, 0 or more", file=sys.stderr)
        return EXIT_USAGE
    if options.daemonize:
        return _start_daemon(options)
    return _supervise(options)


def _supervise(options: argparse.Namespace) -> int:
    """Starts the cluster and stays until it is stopped; with --supervise-fd as the daemon that reports there when it is ready."""
    daemon = options.supervise_fd is not None
    cluster = Cluster(
        options.n,
        cluster_id=options.cluster_id,
        durability=options.durability,
        data_directory=options.data,
        tcp=options.tcp,
        restart_engines=options.restart_engines,
        owner_kind="daemon" if daemon else "foreground",
        on_event=_say,
    )
    with _Signals(cluster) as signals:
        try:
            cluster.start_cluster()
            client = cluster.connect_client()
            cluster.wait_for_engines(client, timeout=options.timeout)
            client.close()
            signals.starting = False
            _say(_summary(cluster))
            if daemon:
                os.write(options.supervise_fd, b"ready\n")
                os.close(options.supervise_fd)
            else:
                _say("Ctrl-C stops it")
            cluster.ended.wait()
        finally:
            signals.starting = False
            cluster.stop_cluster()
    if cluster.failure and not signals.seen:
        return EXIT_FAILED
    _say(f"cluster {cluster.cluster_id} has stopped")
    return EXIT_OK


class _Signals:
    """While the cluster starts, a signal breaks that off as Ctrl-C does; later it only wakes the main thread, which stops the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.starting = True
        self.seen = False
        self._cluster = cluster
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, *_: object) -> None:
        self.seen = True
        self._cluster.ended.set()
        if self.starting:
            raise KeyboardInterrupt


def _start_daemon(options: argparse.Namespace) -> int:
    """Starts a supervisor in a session of its own and waits for its word."""
    directory = cluster_file.make_private_directory(cluster_file.cluster_directory(options.cluster_id))
    log = cluster_file.make_private_directory(directory / "log") / "supervisor.log"
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    supervisor = spawn(_supervisor_argv(options, write_fd), log=log, pass_fds=[write_fd])
    os.close(write_fd)
    log_start = log.stat().st_size
    word = os.read(read_fd, 100)  # ends with the supervisor at the latest
    os.close(read_fd)
    if word:
        _say(_last_line(log, log_start))
        return EXIT_OK
    supervisor.wait_ended()
    print(log.read_bytes()[log_start:].decode(errors="replace").rstrip(), file=sys.stderr)
    return EXIT_FAILED


def _supervisor_argv(options: argparse.Namespace, ready_fd: int) -> list[str]:
    argv = [sys.executable, "-m", "linden_launchers", "start", "--supervise-fd", str(ready_fd)]
    argv += ["--cluster-id", options.cluster_id, "--durability", options.durability, "--timeout", str(options.timeout)]
    argv += ["-n", str(options.n)] if options.n is not None else []
    argv += ["--tcp", options.tcp] if options.tcp else []
    argv += ["--data", str(options.data.absolute())] if options.data else []
    argv += ["--restart-engines"] if options.restart_engines else []
    return argv


def _summary(cluster: Cluster) -> str:
    engines = "1 engine" if cluster.n == 1 else f"{cluster.n} engines"
    return f"cluster {cluster.cluster_id}: server {cluster.server_pid} and {engines}; connection file {cluster.connection_file}"


def _last_line(log: Path, start: int) -> str:
    lines = log.read_bytes()[start:].decode(errors="replace").splitlines()
    return lines[-1].partition(" ")[2] if lines else ""


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


# status, stop, list


def _status(options: argparse.Namespace) -> int:
    try:
        status = RunningCluster.find(options.cluster_id).status()
    except LaunchError as error:
        print(f"space-cluster: {error}", file=sys.stderr)
        return EXIT_NO_CLUSTER
    if options.json:
        print(json.dumps(status.to_dict(), indent=1))
    else:
        print(_describe(status))
    return EXIT_OK if status.state == "running" else EXIT_DEGRADED


def _describe(status: ClusterStatus) -> str:
    def process(name: str, pid: int, running: bool, log: str) -> str:
        return f"  {name:<10} {pid:>8}  {'running' if running else 'gone':<8} {log}"

    lines = [
        f"cluster {status.cluster_id}: {status.state}",
        f"  address    {status.address}",
        f"  data       {status.data_directory}",
    ]
    lines.append(process(status.owner_kind, status.owner.pid, status.owner.running, status.owner.log))
    if status.server:
        lines.append(process("server", status.server.pid, status.server.running, status.server.log))
        if status.server_starts > 1:
            lines.append(f"  the server has been started {status.server_starts} times")
    lines += [process("engine", engine.pid, engine.running, engine.log) for engine in status.engines]
    if status.engine_ids is not None:
        lines.append(f"  serving: {', '.join(map(str, status.engine_ids)) or 'no engine'}")
    return "\n".join(lines)


def _stop(options: argparse.Namespace) -> int:
    if not options.all:
        if cluster_file.read_cluster_file(cluster_file.cluster_directory(options.cluster_id)) is None:
            print(f"space-cluster: no cluster {options.cluster_id!r} is running", file=sys.stderr)
            return EXIT_NO_CLUSTER
        return _stop_one(options.cluster_id)
    return max((_stop_one(directory.name) for directory in cluster_file.cluster_directories()), default=EXIT_OK)


def _stop_one(cluster_id: str) -> int:
    try:
        RunningCluster.find(cluster_id).stop_cluster()
    except LaunchError as error:
        print(f"space-cluster: {error}", file=sys.stderr)
        return EXIT_FAILED
    print(f"cluster {cluster_id} has stopped")
    return EXIT_OK


def _list(options: argparse.Namespace) -> int:
    found = [
        RunningCluster.find(directory.name).status(ask_server_s=None)
        for directory in cluster_file.cluster_directories()
    ]
    if options.json:
        print(json.dumps([status.to_dict() for status in found], indent=1))
        return EXIT_OK
    print(f"{'CLUSTER':<28} {'STATE':<10} {'SERVER':>8} {'ENGINES':>8}  OWNER")
    for status in found:
        engines = f"{sum(engine.running for engine in status.engines)}/{status.engines_wanted}"
        server = status.server.pid if status.server else "-"
        print(
            f"{status.cluster_id:<28} {status.state:<10} {server:>8} {engines:>8}  {status.owner_kind} {status.owner.pid}"
        )
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
