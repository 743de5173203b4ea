"""The systems on which the contract suite runs: how each is brought up, how its launcher is made, and what it can do.

What a system *can*: ``members`` (parts of a job can be stopped), ``signals`` (it hands them on to engines), ``pending`` (there is
`room` for so many engines, and more have to wait), ``reasons`` (it says for what they wait), ``refuses`` (it knows queues, and that
there is none called "nowhere"), ``mpi`` (its engines are ranks under mpiexec), ``cluster`` (it has a test with linden.Cluster),
``steering`` (the example with MPI finds its mpiexec or srun).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from linden_launchers.launcher import Launcher
from linden_launchers.local import LocalLauncher
from linden_launchers.plugins import load_launcher
from linden_launchers.process import ExitWatcher

from tests.launchers.contract.set_up import NAMESPACES, SetUp
from tests.launchers.contract.stub_systems import STUBS
from tests.launchers.contract.system import ALL, CI, System, of_checkout


class Local(System):
    """Processes of this machine."""

    name = "local"
    group = CI
    can = frozenset({"members", "signals"})

    def up(self) -> None:
        self._watcher = ExitWatcher(lambda _: None)
        self._launcher = LocalLauncher(self._watcher.watch)

    def down(self) -> None:
        self._watcher.close()

    def launcher(self) -> Launcher:
        return self._launcher  # it alone knows its children


class WithSetUp(System):
    """A system that a script brings up."""

    script: ClassVar[str]
    variables: ClassVar[Mapping[str, str]] = {}
    needs_namespaces = True

    def up(self) -> None:
        super().up()
        self.set_up = SetUp(self.script, **self.variables)
        self.set_up.start()

    def down(self) -> None:
        self.set_up.stop()

    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.set_up.programs}{os.pathsep}{os.environ['PATH']}"}


class Ssh(WithSetUp):
    """Two hosts with an sshd each; without namespaces, two addresses of this machine."""

    name = "ssh"
    group = CI
    can = frozenset({"members", "signals", "cluster"})
    script = "sshd.sh"
    needs_namespaces = False
    programs = ("ssh", "sshd")

    def up(self) -> None:
        if os.environ.get(NAMESPACES) == "0" and hasattr(self, "variables"):
            self.variables = {NAMESPACES: "0"}  # type: ignore[misc]
        super().up()

    def options(self) -> dict[str, object]:
        """To reach the hosts."""
        ssh = f"{self.set_up.programs}/ssh -F {self.set_up.directory}/ssh_config"
        # The default is for people who wait; here two sshd, agents and engines start beside other tests.
        return {"hosts": ["node1", "node2"], "ssh": ssh, "python": sys.executable, "connect_timeout": 60}

    def launcher(self) -> Launcher:
        return load_launcher("ssh", self.options())

    def cluster_options(self) -> tuple[str, dict[str, Any]]:
        return "ssh", {name: value for name, value in self.options().items() if name != "python"}


class OpenMpi(System):
    """Open MPI's mpiexec on this machine, which has fewer processors than engines, and this user may be root."""

    name = "openmpi"
    group = CI
    can = frozenset({"signals", "steering", "mpi", "cluster"})
    programs = ("mpiexec.openmpi", "mpiexec.mpich")

    def up(self) -> None:
        super().up()
        self._mpich = SetUp("mpich.sh")
        self._mpich.start()

    def down(self) -> None:
        self._mpich.stop()

    def environment(self) -> dict[str, str]:
        return {
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
            "OMPI_MCA_rmaps_base_oversubscribe": "1",
        }

    def launcher_options(self) -> dict[str, Any]:
        return {"mpiexec": "mpiexec.openmpi", "mpi4py": "mpi4py"}

    def launcher(self) -> Launcher:
        return load_launcher("mpi", self.launcher_options())

    def cluster_options(self) -> tuple[str, dict[str, Any]]:
        return "mpi", self.launcher_options()

    def wrong_mpi(self) -> dict[str, str]:
        """By which mpi4py of the engines finds another MPI than that of mpiexec."""
        return {"LD_LIBRARY_PATH": str(self._mpich.directory / "lib"), "MPI4PY_MPIABI": "mpich"}

    def members(self, n: int) -> int:
        return 1


class Mpich(System):
    """MPICH's mpiexec.  mpi4py asks for libmpi.so.12, which Debian calls libmpich.so.12, and takes Open MPI where it finds both."""

    name = "mpich"
    group = CI
    can = frozenset({"signals", "mpi"})
    programs = ("mpiexec.mpich",)

    def up(self) -> None:
        super().up()
        self._set_up = SetUp("mpich.sh")
        self._set_up.start()

    def down(self) -> None:
        self._set_up.stop()

    def engine_environment(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": str(self._set_up.directory / "lib"), "MPI4PY_MPIABI": "mpich"}

    def launcher_options(self) -> dict[str, Any]:
        return {"mpiexec": "mpiexec.mpich", "mpi4py": "mpi4py"}

    def launcher(self) -> Launcher:
        return load_launcher("mpi", self.launcher_options())

    def wrong_mpi(self) -> dict[str, str]:
        return {"MPI4PY_MPIABI": "openmpi"}

    def members(self, n: int) -> int:
        return 1


class Slurm(WithSetUp):
    """A real Slurm without accounting: two nodes with two processors each."""

    name = "slurm"
    group = CI
    can = frozenset({"members", "signals", "pending", "reasons", "refuses"})
    script = "slurm.sh"

    def launcher(self) -> Launcher:
        return load_launcher("slurm")


class SlurmAccounting(Slurm):
    """The same with slurmdbd, so that sacct answers."""

    name = "slurm-accounting"
    group = ALL
    variables: ClassVar[Mapping[str, str]] = {"LINDEN_SLURM_ACCOUNTING": "1"}


class Srun(Slurm):
    """An MPI program that srun starts on a real Slurm; Open MPI speaks PMIx with it."""

    name = "srun"
    group = ALL
    can = frozenset({"signals", "steering"})

    def environment(self) -> dict[str, str]:
        # Both nodes are this machine, where ranks of different nodes would take each other's shared memory for their own.
        return {**super().environment(), "OMPI_MCA_btl": "self,tcp"}

    def program(self, argv: list[str]) -> list[str]:
        return ["salloc", "--ntasks=4", "--", *argv]

    def launcher(self) -> Launcher:
        return load_launcher("mpi", {"flavour": "srun", "mpi4py": "mpi4py"})

    def members(self, n: int) -> int:
        return 1


class Torque(Slurm):
    """Torque's commands, as Debian has them for Slurm."""

    name = "torque"
    group = ALL
    can = frozenset({"members", "pending", "refuses"})
    variables: ClassVar[Mapping[str, str]] = {"LINDEN_SLURM_TORQUE": "1"}
    tells_how_jobs_end = False  # its qstat knows no exit_status

    def launcher(self) -> Launcher:
        return load_launcher("pbs")  # finds out what it has


class GridEngine(WithSetUp):
    """A real Grid Engine: one host with four slots."""

    name = "gridengine"
    can = frozenset({"members", "pending", "refuses"})
    script = "gridengine.sh"

    def launcher(self) -> Launcher:
        return load_launcher("sge")


class RealOar(WithSetUp):
    """A real OAR: one host with four cores.  The stand-in called "oar" is what CI runs."""

    name = "real-oar"
    can = frozenset({"members", "signals", "pending", "reasons", "refuses"})
    script = "oar.sh"

    def engine_environment(self) -> dict[str, str]:
        return of_checkout()

    def launcher(self) -> Launcher:
        return load_launcher("oar")


REAL: list[type[System]] = [Local, Ssh, OpenMpi, Mpich, Slurm, Srun, SlurmAccounting, Torque, GridEngine, RealOar]

SYSTEMS: dict[str, type[System]] = {system.name: system for system in [*REAL, *STUBS]}


def chosen(word: str) -> list[str]:
    """Names of the systems that ``--launchers`` asks for: "ci", "all", or names.

    Raises: pytest.UsageError.
    """
    if word in (CI, ALL):
        return [name for name, system in SYSTEMS.items() if word == ALL or system.group == CI]
    names = word.split(",")
    unknown = [name for name in names if name not in SYSTEMS]
    if unknown:
        raise pytest.UsageError(f"--launchers {word}: no {', '.join(unknown)}; there are ci, all, {', '.join(SYSTEMS)}")
    return names
