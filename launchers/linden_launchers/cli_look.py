"""space-cluster status, list, stop and clean."""

from __future__ import annotations

import argparse
import json
import signal
import sys

from . import cluster_file
from .cluster_manager import clean_cluster_files
from .exit_codes import EXIT_DEGRADED, EXIT_FAILED, EXIT_NO_CLUSTER, EXIT_OK, EXIT_USAGE
from .launcher import LaunchError
from .process import signal_number
from .running_cluster import ClusterStatus, RunningCluster


def status(options: argparse.Namespace) -> int:
    """Shows what runs of a cluster."""
    status = RunningCluster.find(options.cluster_id).status()
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
    lines += [f"  jobs       {job.system} {', '.join(job.ids)}: {job.text}" for job in status.jobs]
    if status.engine_ids is not None:
        lines.append(f"  serving: {', '.join(map(str, status.engine_ids)) or 'no engine'}")
    return "\n".join(lines)


def stop(options: argparse.Namespace) -> int:
    """Ends a cluster, or all."""
    try:
        first = signal.Signals(signal_number(options.signal))
    except ValueError as error:
        print(f"space-cluster: --signal: {error}", file=sys.stderr)
        return EXIT_USAGE
    directory = cluster_file.cluster_directory(options.cluster_id)
    if not options.all and cluster_file.read_cluster_file(directory) is None:
        print(f"space-cluster: no cluster {options.cluster_id!r} is running", file=sys.stderr)
        return EXIT_NO_CLUSTER
    wanted = (
        [directory.name for directory in cluster_file.cluster_directories()] if options.all else [options.cluster_id]
    )
    errors = {cluster_id: _stop_one(cluster_id, first, quiet=options.json) for cluster_id in wanted}
    if options.json:
        print(
            json.dumps([{"cluster_id": name, "stopped": not error, "error": error} for name, error in errors.items()])
        )
    return EXIT_FAILED if any(errors.values()) else EXIT_OK


def _stop_one(cluster_id: str, first: signal.Signals, *, quiet: bool) -> str:
    """Why it has not stopped; empty if it has."""
    try:
        RunningCluster.find(cluster_id).stop_cluster(first_signal=first)
    except LaunchError as error:
        print(f"space-cluster: {error}", file=sys.stderr)
        return str(error)
    if not quiet:
        print(f"cluster {cluster_id} has stopped")
    return ""


def list_(options: argparse.Namespace) -> int:
    """Shows a line for each cluster."""
    found = [
        RunningCluster.find(directory.name).status(ask_server_s=None, ask_systems=False)
        for directory in cluster_file.cluster_directories()
    ]
    if options.json or options.output == "json":
        print(json.dumps([status.to_dict() for status in found], indent=1))
        return EXIT_OK
    print(f"{'CLUSTER':<28} {'STATE':<10} {'SERVER':>8} {'ENGINES':>8}  OWNER")
    for status in found:
        elsewhere = sum(job.engines for job in status.jobs)
        engines = f"{sum(engine.running for engine in status.engines)}/{status.engines_wanted - elsewhere}"
        engines += f" +{elsewhere}" if elsewhere else ""  # of jobs, whose systems a list does not ask
        server = status.server.pid if status.server else "-"
        print(
            f"{status.cluster_id:<28} {status.state:<10} {server:>8} {engines:>8}  {status.owner_kind} {status.owner.pid}"
        )
    return EXIT_OK


def clean(options: argparse.Namespace) -> int:
    """Removes what dead clusters have left."""
    only = None if options.all else options.cluster_id
    cleaned = clean_cluster_files(force=options.force, data=options.data, only=only)
    if options.json:
        print(json.dumps({"cleaned": cleaned}))
        return EXIT_OK
    for cluster_id in cleaned:
        print(f"removed the files of cluster {cluster_id}")
    return EXIT_OK
