"""Starting servers and engines: ``linden.start``, ``Cluster``, ``space-cluster``."""

from .cluster import Cluster
from .engine_set import EngineSet
from .launcher import JobId, JobState, JobStatus, Launcher, LaunchError
from .running_cluster import ClusterStatus, RunningCluster
from .start import start

__all__ = [
    "Cluster",
    "ClusterStatus",
    "EngineSet",
    "JobId",
    "JobState",
    "JobStatus",
    "LaunchError",
    "Launcher",
    "RunningCluster",
    "start",
]
