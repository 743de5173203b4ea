"""Starting servers and engines: ``linden.start``, ``Cluster``, ``space-cluster``."""

from .cluster import Cluster
from .cluster_manager import ClusterManager, clean_cluster_files
from .command import CommandFailed
from .engine_set import EngineSet
from .job_options import JobOptions
from .launcher import Job, JobState, JobStatus, Launcher, LaunchError, MemberStatus
from .local_cluster import LocalCluster
from .plugins import launcher_names, load_launcher
from .running_cluster import ClusterStatus, RunningCluster
from .start import start

__all__ = [
    "Cluster",
    "ClusterManager",
    "ClusterStatus",
    "CommandFailed",
    "EngineSet",
    "Job",
    "JobOptions",
    "JobState",
    "JobStatus",
    "LaunchError",
    "Launcher",
    "LocalCluster",
    "MemberStatus",
    "RunningCluster",
    "clean_cluster_files",
    "launcher_names",
    "load_launcher",
    "start",
]
