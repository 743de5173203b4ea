"""What every system of the contract suite has: systems.py has the real ones, stub_systems.py the stand-ins."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import ClassVar

from linden_launchers.launcher import Launcher

ROOT = Path(__file__).resolve().parents[3]
CI, ALL = "ci", "all"


class System:
    """One of them; made once for a test run."""

    name: ClassVar[str]
    group: ClassVar[str] = ALL  # CI: small enough to be tested with each change
    can: ClassVar[frozenset[str]] = frozenset()
    needs_namespaces: ClassVar[bool] = False
    room: ClassVar[int] = 4  # engines that can run at a time
    tells_how_jobs_end: ClassVar[bool] = True
    programs: ClassVar[tuple[str, ...]] = ()  # of this machine, which packages.txt names

    def up(self) -> None:
        """Raises: SetUpFailed."""
        missing = [program for program in self.programs if shutil.which(program, path=_PATH) is None]
        assert not missing, f"{', '.join(missing)} not found; ./dev test installs the group 'launchers' of packages.txt"

    def down(self) -> None:
        """Leaves nothing behind."""

    def environment(self) -> dict[str, str]:
        """For the process that calls the launcher."""
        return {}

    def engine_environment(self) -> dict[str, str]:
        """For the engines."""
        return {}

    def launcher(self) -> Launcher:
        """A new one, which knows nothing of what others have started."""
        raise NotImplementedError

    def program(self, argv: list[str]) -> list[str]:
        """The command by which a program runs where the launcher finds the system by itself."""
        return argv

    def members(self, n: int) -> int:
        """How many members a job of n engines has."""
        return n


_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])


def of_checkout() -> dict[str, str]:
    """For engines of systems that hand no environment on: where these tests import the packages from a checkout, they do, too."""
    path = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(ROOT), path])} if path else {}
