"""The site profile: how engines are started here, settled once in TOML by those who know the site.

Three files, of which a later one wins, value by value: the system's, the user's, and that of the project, which is the nearest
linden.toml upwards from the working directory.  A table per system holds whatever `Cluster(engines=system, ...)` takes as options::

    engines = "slurm"             # what start and engines use where nothing else is said

    [slurm]
    queue = "long"
    walltime_s = 3600
    directive_skip = ["--mem"]    # this site does not allow it
    prologue = ["module load python/3.11"]

Lists are replaced, not joined, so that what a file says is what is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .launcher import LaunchError

SYSTEM_PROFILE = Path("/etc/linden/site.toml")
PROJECT_PROFILE = "linden.toml"
SYSTEM_VARIABLE = "LINDEN_SITE_PROFILE"  # in place of the system's file
# Keys outside of tables, and what they have to be.
_TOP = {"engines": str}


@dataclass(frozen=True)
class Setting:
    """One value, and the file that it comes from."""

    value: Any
    origin: str


@dataclass(frozen=True)
class Profile:
    """What all files say together: "engines" and "slurm.queue" by name."""

    settings: Mapping[str, Setting]

    @property
    def engines(self) -> str:
        """The system that engines are started with where nothing else is said."""
        found = self.settings.get("engines")
        return str(found.value) if found else "local"

    def options(self, system: str) -> dict[str, Any]:
        """The options of one system."""
        prefix = f"{system}."
        return {
            name.removeprefix(prefix): setting.value
            for name, setting in self.settings.items()
            if name.startswith(prefix)
        }

    def origin(self, system: str, option: str) -> str | None:
        """The file that sets this option, if one does."""
        found = self.settings.get(f"{system}.{option}")
        return found.origin if found else None


def profile_files(environment: Mapping[str, str] | None = None, directory: Path | None = None) -> list[Path]:
    """Where profiles are looked for, the strongest last.  None: of this process."""
    environment = os.environ if environment is None else environment
    directory = (directory or Path.cwd()).absolute()
    home = environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME") or "~").expanduser() / ".config"
    files = [Path(environment.get(SYSTEM_VARIABLE) or SYSTEM_PROFILE), Path(home) / "linden" / "site.toml"]
    nearest = (parent / PROJECT_PROFILE for parent in (directory, *directory.parents))
    return files + [path for path in nearest if path.is_file()][:1]


def load_profile(files: Iterable[Path] | None = None) -> Profile:
    """What the files say that are there.  Raises: LaunchError: one of them is no profile; the message names file and key."""
    settings: dict[str, Setting] = {}
    for path in profile_files() if files is None else files:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise LaunchError(f"cannot read the site profile {path}: {error.strerror}") from error
        settings |= read_profile(text, str(path))
    return Profile(settings)


def read_profile(text: str, origin: str) -> dict[str, Setting]:
    """What one file says.  Pure.  Raises: LaunchError."""
    import tomllib  # most users have no such file

    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LaunchError(f"{origin} is no TOML: {error}") from error
    settings: dict[str, Setting] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            settings |= {f"{name}.{option}": Setting(one, origin) for option, one in value.items()}
        elif name not in _TOP:
            raise LaunchError(
                f"{origin}: {name!r} stands outside of a table; {', '.join(_TOP)} may, and options belong into a table of their "
                "system such as [slurm]"
            )
        elif not isinstance(value, _TOP[name]):
            raise LaunchError(f'{origin}: {name} is {value!r}; a text such as "slurm" is wanted')
        else:
            settings[name] = Setting(value, origin)
    return settings
