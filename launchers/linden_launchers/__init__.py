"""Starting servers and engines: ``linden.start``, ``Cluster``, ``space-cluster``."""

from .cluster import Cluster
from .cluster_manager import ClusterManager, clean_cluster_files
from .engine_set import EngineSet
from .launcher import JobId, JobState, JobStatus, Launcher, LaunchError
from .local_cluster import LocalCluster
from .running_cluster import ClusterStatus, RunningCluster
from .start import start

__all__ = [
    "Cluster",
    "ClusterManager",
    "ClusterStatus",
    "EngineSet",
    "JobId",
    "JobState",
    "JobStatus",
    "LaunchError",
    "Launcher",
    "LocalCluster",
    "RunningCluster",
    "clean_cluster_files",
    "start",
]
