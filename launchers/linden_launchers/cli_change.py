"""space-cluster scale, and what the janitor of a killed process runs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from . import cluster_file
from .exit_codes import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from .job_sets import JobSets
from .running_cluster import RunningCluster


def scale(options: argparse.Namespace) -> int:
    """Gives an engine set another number of engines."""
    if options.n < 0:
        print("space-cluster: -n wants a number of engines, 0 or more", file=sys.stderr)
        return EXIT_USAGE
    cluster = RunningCluster.find(options.cluster_id)
    before = cluster.n
    try:
        cluster.scale(options.n, options.engine_set, timeout=options.timeout)
    except KeyError as error:
        print(f"space-cluster: {error.args[0]}", file=sys.stderr)
        return EXIT_FAILED
    after = cluster.refresh().n
    if options.json:
        print(json.dumps({"cluster_id": cluster.cluster_id, "engines_before": before, "engines": after}))
    else:
        print(f"cluster {cluster.cluster_id}: {before} -> {after} engines")
    return EXIT_OK


def cancel_jobs(options: argparse.Namespace) -> int:
    """Cancels the jobs of a cluster whose owner has died; the rest of it is the janitor's."""
    directory = Path(options.directory)
    state = cluster_file.read_cluster_file(directory)
    if state is not None and state.jobs:
        JobSets(directory).stop()
    return EXIT_OK
