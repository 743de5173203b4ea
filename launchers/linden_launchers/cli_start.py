"""space-cluster start and engines: in the foreground until Ctrl-C, or as a daemon."""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import cluster_file
from .cli_options import engine_options_of
from .exit_codes import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from .launcher import LaunchError
from .local_cluster import LocalCluster
from .process import end_processes, spawn
from .running_cluster import RunningCluster
from .serving import wait_until_serving
from .waiting import await_set

_LOOK_S = 0.5
_BREAK_OFF_S = 120.0  # jobs of other systems are cancelled, and that is confirmed


def start(options: argparse.Namespace) -> int:
    """Starts a cluster."""
    if options.n is not None and options.n < 0:
        print("space-cluster: -n wants a number of engines, 0 or more", file=sys.stderr)
        return EXIT_USAGE
    if options.supervise_fd is None and options.daemonize:
        return _start_daemon(options)
    return _supervise(options)


def _supervise(options: argparse.Namespace) -> int:
    """Starts the cluster and stays until it is stopped; with --supervise-fd as the daemon that reports there when it is ready."""
    daemon = options.supervise_fd is not None
    minimum, maximum = _bounds(options.adapt)
    cluster = LocalCluster(
        options.n if options.adapt is None else minimum,
        engine_options=engine_options_of(options),
        cluster_id=options.cluster_id,
        durability=options.durability,
        data_directory=options.data,
        tcp=options.tcp,
        restart_engines=options.restart_engines,
        owner_kind="daemon" if daemon else "foreground",
        on_event=_say if not options.json or daemon else _say_aside,
    )
    say = _say_aside if options.json else _say
    with _Signals(cluster.ended) as signals:
        try:
            cluster.start_cluster()
            client = cluster.connect_client()
            cluster.wait_for_engines(
                client, options.wait_for, timeout=options.timeout, queue_timeout=options.queue_timeout, say=say
            )
            client.close()
            signals.starting = False
            if options.adapt is not None:
                from .adapting import Adaptation

                Adaptation(cluster, minimum, maximum).start()
            if options.json:
                print(json.dumps(RunningCluster.find(cluster.cluster_file).status().to_dict()), flush=True)
            else:
                _say(_summary(cluster))
            if daemon:
                os.write(options.supervise_fd, b"ready\n")
                os.close(options.supervise_fd)
            elif not options.json:
                _say("Ctrl-C stops it")
            cluster.ended.wait()
        finally:
            signals.starting = False
            cluster.stop_cluster()
    if cluster.failure and not signals.seen:
        return EXIT_FAILED
    say(f"cluster {cluster.cluster_id} has stopped")
    return EXIT_OK


def _bounds(text: str | None) -> tuple[int, int]:
    """Of --adapt MIN:MAX.  Raises: LaunchError."""
    if text is None:
        return 0, 0
    minimum, colon, maximum = text.partition(":")
    if not (colon and minimum.isdigit() and maximum.isdigit() and int(minimum) <= int(maximum) and int(maximum)):
        raise LaunchError(f"--adapt is {text!r}; MIN:MAX is wanted, such as 2:64")
    return int(minimum), int(maximum)


class _Signals:
    """While the cluster starts, a signal breaks that off as Ctrl-C does; later it only wakes the main thread, which ends all."""

    def __init__(self, over: threading.Event) -> None:
        self.starting = True
        self.seen = False
        self._over = over
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
        self._over.set()
        if self.starting:
            raise KeyboardInterrupt


def _start_daemon(options: argparse.Namespace) -> int:
    """Starts a supervisor in a session of its own and waits for its word; Ctrl-C meanwhile ends what has been started."""
    directory = cluster_file.make_private_directory(cluster_file.cluster_directory(options.cluster_id))
    log = cluster_file.make_private_directory(directory / "log") / "supervisor.log"
    log_start = log.stat().st_size if log.exists() else 0
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    with _Signals(threading.Event()):
        supervisor = spawn(_supervisor_argv(options, write_fd), log=log, pass_fds=[write_fd])
        os.close(write_fd)
        try:
            is_ready = _await_word(read_fd, log, log_start)
        except KeyboardInterrupt:
            print("space-cluster: ends what has been started", file=sys.stderr, flush=True)
            end_processes([supervisor.id], grace_s=_BREAK_OFF_S)
            raise
        finally:
            os.close(read_fd)
    if is_ready:
        last = _last_line(log, log_start)
        print(last if options.json else f"{time.strftime('%H:%M:%S')} {last.partition(' ')[2]}", flush=True)
        return EXIT_OK
    supervisor.wait_ended()
    print(log.read_bytes()[log_start:].decode(errors="replace").rstrip(), file=sys.stderr)
    return EXIT_FAILED


def _await_word(read_fd: int, log: Path, log_start: int) -> bool:
    """Whether the supervisor says that it is ready; until then what it writes is shown, but its last line, which says so, to the caller."""
    poller = select.poll()
    poller.register(read_fd, select.POLLIN)
    shown = seen = log_start
    while not poller.poll(_LOOK_S * 1000):
        with log.open("rb") as file:  # what was there at the last look is not what comes with the word
            file.seek(shown)
            sys.stderr.write(file.read(seen - shown).decode(errors="replace"))
            sys.stderr.flush()
        shown, seen = seen, _end_of_lines(log, seen)
    return bool(os.read(read_fd, 100))  # ends with the supervisor at the latest


def _end_of_lines(log: Path, start: int) -> int:
    """Behind the last whole line."""
    with log.open("rb") as file:
        file.seek(start)
        return start + file.read().rfind(b"\n") + 1


def _supervisor_argv(options: argparse.Namespace, ready_fd: int) -> list[str]:
    """The same command once more, told where to report."""
    return [sys.executable, "-m", "linden_launchers", *options.words, "--supervise-fd", str(ready_fd)]


def _summary(cluster: LocalCluster) -> str:
    engines = "1 engine" if cluster.n == 1 else f"{cluster.n} engines"
    return f"cluster {cluster.cluster_id}: server {cluster.server_pid} and {engines}; connection file {cluster.connection_file}"


def _last_line(log: Path, start: int) -> str:
    lines = log.read_bytes()[start:].decode(errors="replace").splitlines()
    return lines[-1] if lines else ""


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _say_aside(text: str) -> None:
    """What is for people, where programs read the output."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def engines(options: argparse.Namespace) -> int:
    """Adds engines to a cluster that runs."""
    if options.n < 1:
        print("space-cluster: -n wants a number of engines, 1 or more", file=sys.stderr)
        return EXIT_USAGE
    cluster = RunningCluster.find(options.cluster_id)
    chosen = engine_options_of(options)
    over = threading.Event()
    say = _say_aside if options.json else _say
    with _Signals(over) as signals:
        name = cluster.start_engines(options.n, None, chosen)
        ids: list[int] = []
        try:
            ids = _wait_for_set(cluster, name, options, say)
            if options.json:
                report = {"cluster_id": cluster.cluster_id, "engine_set": name, "engine_ids": ids}
                print(json.dumps(report), flush=True)
            else:
                say(f"cluster {cluster.cluster_id}: engine set {name} serves as {', '.join(map(str, ids))}")
            signals.starting = False
            if options.daemonize:
                return EXIT_OK
            say("Ctrl-C ends them")
            while not over.wait(_LOOK_S) and cluster.refresh().has_set(name):
                pass
        finally:
            signals.starting = False
            if not options.daemonize or not ids:
                _end_set(cluster, name)
    say(f"engine set {name} has ended")
    return EXIT_OK


def _wait_for_set(
    cluster: RunningCluster, name: str, options: argparse.Namespace, say: Callable[[str], None]
) -> list[int]:
    """The ids under which the engines of a new set serve.  Raises: LaunchError."""
    if name in cluster.refresh().systems:
        return await_set(
            cluster,
            name,
            options.n if options.wait_for is None else options.wait_for,
            options.timeout,
            queue_timeout=options.queue_timeout,
            say=say,
        )
    pids = [record.pid for record in cluster.state.engines if record.engine_set == name]
    return sorted(wait_until_serving(cluster.connection_file, pids, options.timeout).values())


def _end_set(cluster: RunningCluster, name: str) -> None:
    with suppress(KeyError, LaunchError):  # somebody else has ended it, or the whole cluster
        cluster.stop_engines(name)
