"""Launchers by name: ours, and those that other packages bring by an entry point of the group ``linden.launchers``.

An entry point names something that is called with the launcher's options as keywords and returns a Launcher, or a BatchSystem, which
then gets a BatchLauncher.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .command import Run, run
from .launcher import Launcher, LaunchError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from .batch_system import BatchSystem

GROUP = "linden.launchers"

_OURS = {
    "generic": "linden_launchers.systems.generic:generic",
    "htcondor": "linden_launchers.systems.htcondor:HTCondor",
    "kubernetes": "linden_launchers.systems.kubernetes:Kubernetes",
    "lsf": "linden_launchers.systems.lsf:Lsf",
    "mpi": "linden_launchers.systems.mpi:MpiLauncher",
    "oar": "linden_launchers.systems.oar:Oar",
    "pbspro": "linden_launchers.systems.pbspro:PbsPro",
    "sge": "linden_launchers.systems.sge:Sge",
    "slurm": "linden_launchers.systems.slurm:Slurm",
    "ssh": "linden_launchers.systems.ssh:SshLauncher",
    "torque": "linden_launchers.systems.torque:Torque",
    "winhpc": "linden_launchers.systems.winhpc:WindowsHpc",
}


def _entry_points() -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # costs a good part of what importing us does

    return entry_points(group=GROUP)


def is_ours(name: str) -> bool:
    """Whether it is one that Linden brings."""
    return name in _OURS or name == "pbs"


def launcher_names() -> list[str]:
    """All that `load_launcher` knows here."""
    return sorted({*_OURS, "pbs", *(point.name for point in _entry_points())})


def load_launcher(name: str, options: Mapping[str, Any] | None = None, *, run: Run = run) -> Launcher:
    """The launcher of that name, made with these options.  Raises: LaunchError: there is none, or it does not take them."""
    name, options = _detected(name, options or {}, run)
    made = _make(name, options)
    if not hasattr(made, "render"):
        launcher: Launcher = made
        return launcher
    from .batch import BatchLauncher

    return BatchLauncher(made, run=run, options=options)


def load_system(name: str, options: Mapping[str, Any] | None = None, *, run: Run = run) -> BatchSystem:
    """The batch system of that name, to render its script.  Raises: LaunchError: there is none, or it has no scripts."""
    name, options = _detected(name, options or {}, run)
    made = _make(name, options)
    if not hasattr(made, "render"):
        raise LaunchError(f"launcher {name!r} starts engines without a job script, so there is none to show")
    system: BatchSystem = made
    return system


def _detected(name: str, options: Mapping[str, Any], run: Run) -> tuple[str, Mapping[str, Any]]:
    """ "pbs" is PBS Pro or Torque, or Torque's commands on top of Slurm, which know no arrays: whichever is here."""
    if name != "pbs":
        return name, options
    from .systems import pbs

    found = pbs.flavour(run(pbs.VERSION))
    return ("torque", {"arrays": False, **options}) if found == "slurm" else (found, options)


def _make(name: str, options: Mapping[str, Any]) -> Any:
    factory = _factory(name)
    try:
        inspect.signature(factory).bind(**options)
    except TypeError as error:
        known = ", ".join(inspect.signature(factory).parameters) or "none"
        raise LaunchError(f"launcher {name!r} does not take these options: {error}; it knows {known}") from error
    return factory(**options)


def _factory(name: str) -> Any:
    if name in _OURS:
        module, _, attribute = _OURS[name].partition(":")
        return getattr(import_module(module), attribute)
    for point in _entry_points():
        if point.name != name:
            continue
        try:
            return point.load()
        except Exception as error:  # foreign code is imported here
            raise LaunchError(f"launcher {name!r} ({point.value}) cannot be loaded: {error!r}") from error
    raise LaunchError(f"there is no launcher {name!r}; there are {', '.join(launcher_names())}")
