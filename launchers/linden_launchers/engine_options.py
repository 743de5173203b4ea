"""What the engines of a set are started with: a system, and options that the user, the command line or the site profile gives.

Options have one name space for users; here they are sorted into what a job asks for (JobOptions), what concerns the engines (EngineSet),
and what only this system knows (its launcher's own).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from .engine_set import EngineSet
from .job_options import JobOptions
from .launcher import LaunchError
from .plugins import is_ours, launcher_names, load_launcher
from .profile import Profile, load_profile

LOCAL = "local"
# Of EngineSet, under the names that users know.
_OF_ENGINES = ("python", "directory", "environment", "arguments", "python_path", "space")
_OF_JOBS = tuple(one.name for one in fields(JobOptions) if one.name != "options")
# Engines of these may run where nothing of this machine's files is seen, so they are not told to work in this directory.
OTHER_FILES = frozenset({"ssh", "kubernetes", "winhpc"})

# After its connection broke an engine's tasks go to others so much later: over a network it may be back (EngineSet.hold_s).
_HOLD_S = 5.0
_CONNECT_S = 60

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_MEBIBYTES = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024**2}


@dataclass(frozen=True)
class EngineOptions:
    """A system and its options, sorted."""

    system: str = LOCAL
    job: JobOptions = field(default_factory=JobOptions)
    engines: Mapping[str, Any] = field(default_factory=dict)  # of EngineSet
    launcher: Mapping[str, Any] = field(default_factory=dict)  # of the launcher alone

    @property
    def is_local(self) -> bool:
        """Whether engines are processes of this machine that the cluster itself starts."""
        return self.system == LOCAL

    def job_set(
        self,
        name: str,
        n: int,
        *,
        address: str,
        cluster: Path,
        python_path: tuple[str, ...] = (),
        hold_s: float | None = None,
    ) -> EngineSet:
        """An engine set that is a job of this system; *cluster* is the cluster's directory."""
        here = None if self.system in OTHER_FILES else Path.cwd()
        values = {"directory": here, "python_path": python_path, **self.engines}
        # A job may start at any time, also while the server is just being started again.
        values["arguments"] = ("--timeout", str(_CONNECT_S), *self.engines.get("arguments", ()))
        return EngineSet(
            name=name,
            n=n,
            address=address,
            log_directory=cluster / "log",
            cluster_id=cluster.name,
            hold_s=_HOLD_S if hold_s is None else hold_s,
            job=self.job,
            **values,
        )


def chosen_options(engines: str | None, given: Mapping[str, Any], profile: Profile | None = None) -> EngineOptions:
    """The options of *engines* (None: of the system that the site profile names), where those that are *given* win over the profile's.

    Raises: as `engine_options`.
    """
    profile = load_profile() if profile is None else profile
    system = engines or profile.engines
    return engine_options(system, {**_in_our_units(profile.options(system)), **_in_our_units(given)})


def _in_our_units(options: Mapping[str, Any]) -> dict[str, Any]:
    values = dict(options)
    for name, meant, read in (("walltime", "walltime_s", read_seconds), ("memory", "memory_mb", read_mebibytes)):
        if name in values:
            values[meant] = read(values.pop(name))
    return values


def engine_options(system: str, options: Mapping[str, Any]) -> EngineOptions:
    """Sorts them; `walltime="1:30:00"` and `memory="8G"` are understood.

    Raises: ValueError: there is no such system. TypeError: engines of this machine have no such option. LaunchError: the launcher
        has no such option, or one has a value that makes no sense.
    """
    check_system(system)
    values = _in_our_units(options)
    engines = {name: values.pop(name) for name in _OF_ENGINES if name in values}
    if engines.get("directory") is not None:
        engines["directory"] = Path(engines["directory"])
    for name in ("arguments", "python_path"):
        if name in engines:
            engines[name] = tuple(engines[name])
    if system == LOCAL:
        if values:
            raise TypeError(
                f"engines that are local have no option {next(iter(values))!r}; they have {', '.join(_OF_ENGINES)}"
            )
        return EngineOptions(system, JobOptions(), engines)
    job = JobOptions.from_dict({name: values.pop(name) for name in _OF_JOBS if name in values})
    load_launcher(system, values)  # which knows what it takes
    return EngineOptions(system, job, engines, values)


def check_system(system: str) -> str:
    """Raises: ValueError: there is no such launcher here."""
    if system == LOCAL or is_ours(system):  # those of other packages are looked for only if need be: that takes a while
        return system
    known = sorted({LOCAL, *launcher_names()})
    if system not in known:
        raise ValueError(f"engines is {system!r}; the launchers that there are: {', '.join(map(repr, known))}")
    return system


def read_seconds(given: Any) -> int:
    """Seconds of 90, "90", "90m", "1:30:00" or "1-00:00:00".  Raises: LaunchError."""
    if type(given) is int and given > 0:
        return given
    text = str(given).strip().lower()
    if (match := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)) and float(match[1]) > 0:
        return round(float(match[1]) * _UNITS[match[2]])
    if match := re.fullmatch(r"(?:(\d+)-)?(\d+):(\d{1,2})(?::(\d{1,2}))?", text):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    raise LaunchError(
        f"walltime is {given!r}; seconds, or a text such as '90m', '1:30:00' (hours first) or '1-00:00:00' is wanted"
    )


def read_mebibytes(given: Any) -> int:
    """Mebibytes of "8G", "500M" or a plain number of them.  Raises: LaunchError."""
    if type(given) is int and given > 0:
        return given
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", str(given).strip().lower())
    if match and (found := float(match[1]) * _MEBIBYTES[match[2] or "m"]) >= 1:
        return round(found)
    raise LaunchError(f"memory is {given!r}; mebibytes, or a text such as '8G' or '500M' is wanted")
