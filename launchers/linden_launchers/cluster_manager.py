"""ClusterManager: all clusters of a user by their names; and what is left of those that have died."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from linden.connection_file import DEFAULT_CLUSTER_ID, linden_home

from . import cluster_file, data_hold
from .cluster import Cluster
from .job_sets import JobSets
from .launcher import LaunchError
from .running_cluster import RunningCluster


class ClusterManager:
    """A dict of clusters: those that were found by their files, and those that were made here."""

    def __init__(self) -> None:
        self._clusters: dict[str, Cluster] = {}
        self._made: dict[str, Cluster] = {}  # those of them that were made here, started or not

    @property
    def clusters(self) -> dict[str, Cluster]:
        """By cluster id."""
        return self._clusters

    def load_clusters(
        self,
        *,
        profile_dirs: Sequence[str | Path] | None = None,
        profile_dir: str | Path | None = None,
        profiles: Iterable[str] | None = None,
        profile: str | None = None,
        init_default_clusters: bool = False,
    ) -> dict[str, Cluster]:
        """Look for cluster files: those that run are joined, those that have gone are forgotten; returns `clusters`.

        Args: profile_dirs, profile_dir: directories to look into in place of ``$LINDEN_HOME``. profiles, profile: only clusters
            of these ids. init_default_clusters: if there is no cluster "default", add one that may be started.
        """
        homes = [Path(home) for home in (profile_dirs or [profile_dir or linden_home()])]
        wanted = {profile} if profile else set(profiles) if profiles is not None else None
        found: dict[str, Cluster] = {}
        for directory in (path for home in homes for path in cluster_file.cluster_directories(home)):
            if wanted is not None and directory.name not in wanted:
                continue
            with suppress(LaunchError):  # a damaged file, or one that has just gone
                found[directory.name] = Cluster.from_file(directory / cluster_file.CLUSTER_FILE)
        self._clusters = {**found, **self._made}
        if init_default_clusters and DEFAULT_CLUSTER_ID not in self._clusters:
            self.new_cluster(cluster_id=DEFAULT_CLUSTER_ID)
        return self._clusters

    def new_cluster(self, **options: Any) -> Cluster:
        """A cluster with these options of Cluster, not started yet.  Raises: KeyError: there is one of this id."""
        cluster = Cluster(**options)
        if cluster.cluster_id in self._clusters:
            raise KeyError(f"there is a cluster {cluster.cluster_id!r} already")
        self._clusters[cluster.cluster_id] = self._made[cluster.cluster_id] = cluster
        return cluster

    def get_cluster(self, cluster_id: str) -> Cluster:
        """Raises: KeyError: none of that id."""
        try:
            return self._clusters[cluster_id]
        except KeyError:
            raise KeyError(f"no cluster {cluster_id!r}; there are {sorted(self._clusters) or 'none'}") from None

    def remove_cluster(self, cluster_id: str) -> None:
        """Forget a cluster; whatever runs of it goes on.  Raises: KeyError: none of that id."""
        self.get_cluster(cluster_id)
        del self._clusters[cluster_id]
        self._made.pop(cluster_id, None)


def clean_cluster_files(
    profile_dirs: Sequence[str | Path] | None = None,
    *,
    log: logging.Logger | None = None,
    force: bool = False,
    data: bool = False,
    only: str | None = None,
) -> list[str]:
    """Remove the files of clusters whose processes have gone; returns their ids.

    Args: profile_dirs: directories to look into in place of ``$LINDEN_HOME``. log: told of each. force: clusters that run, too,
        which are stopped first, files that cannot be read, and jobs that cannot be cancelled, which are forgotten. data: logs and
        data of clusters that do not run, too. only: the cluster of this id.
    Raises: LaunchError: a process or a job does not end; the other clusters are cleaned all the same.
    """
    log = log or logging.getLogger("linden.cluster")
    cleaned, errors = [], []
    for home in [Path(home) for home in (profile_dirs or [linden_home()])]:
        for directory in sorted((home / "clusters").glob("*/")):
            if only not in (None, directory.name) or not (cluster_file.has_cluster(directory) or data):
                continue
            try:
                is_clean = _clean(directory, force, log)
            except LaunchError as error:
                errors.append(f"cluster {directory.name}: {error}")
                continue
            if is_clean:
                if data:
                    data_hold.remove_preserved(directory)
                    shutil.rmtree(directory, ignore_errors=True)
                log.info("removed the files of cluster %s", directory.name)
                cleaned.append(directory.name)
    if cleaned:
        data_hold.sweep()  # their large data, which nobody has open any more
    if errors:
        also = f"; removed the files of {', '.join(cleaned)}" if cleaned else ""
        raise LaunchError("\n".join(errors) + also)
    return cleaned


def _clean(directory: Path, force: bool, log: logging.Logger) -> bool:
    """Whether nothing of it runs now, nor is noted."""
    try:
        state = cluster_file.read_cluster_file(directory)
    except LaunchError:
        if not force:
            return False
        (directory / cluster_file.CLUSTER_FILE).unlink()
        return True
    if state is None:
        return True
    if not state.is_of_this_machine() and not force:
        return False
    if state.is_of_this_machine() and (state.alive(state.owner) or state.runs()):
        if not force:
            return False
        RunningCluster(directory, state).stop_cluster()
        return True
    if state.jobs:
        try:
            JobSets(directory).stop()
        except LaunchError as error:
            if not force:
                raise
            log.warning("jobs of cluster %s are forgotten, and may run still: %s", directory.name, error)
    cluster_file.remove_files(directory, state)
    return True
