"""MpiLauncher: the engines are the ranks of one MPI program, started by mpiexec or srun on this machine."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..engine_set import EngineSet
from ..keeper_files import ChannelPlan, KeeperPlan
from ..kept import KeptLauncher, addresses_of, engine_words, identity
from ..launcher import Job, LaunchError
from .mpi_command import (
    FLAVOURS,
    SRUN,
    MpiCommand,
    check_signal,
    flavour_of,
    in_allocation,
    mpi_argv,
    srun_plugin,
)

_ASK_S = 20.0
_START_S = 30.0
_MODES = ("auto", "mpi4py", "environment")


class MpiLauncher(KeptLauncher):
    """One job is one MPI program: its ranks start and end together.

    Args:
        mpiexec: the program; None is srun within an allocation of Slurm, else mpiexec.
        flavour: "openmpi", "mpich" (and its kin) or "srun"; None asks the program.
        srun_mpi: what srun gets as --mpi; None is "pmix" or "pmi2", whichever is there.
        options: further words for the program, such as ["--hostfile", "hosts"].
        mpi4py: "auto": with mpi4py where it is installed; "mpi4py": it has to be; "environment": without it.
    """

    name = "mpi"

    def __init__(
        self,
        mpiexec: str | None = None,
        *,
        flavour: str | None = None,
        srun_mpi: str | None = None,
        options: Sequence[str] = (),
        mpi4py: str = "auto",
    ) -> None:
        if flavour is not None and flavour not in FLAVOURS:
            raise LaunchError(f"flavour is {flavour!r}; one of {', '.join(FLAVOURS)} is wanted")
        if mpi4py not in _MODES:
            raise LaunchError(f"mpi4py is {mpi4py!r}; one of {', '.join(_MODES)} is wanted")
        if isinstance(options, str):
            raise LaunchError(f"options is {options!r}; a list of words is wanted")
        super().__init__(
            {
                "mpiexec": mpiexec,
                "flavour": flavour,
                "srun_mpi": srun_mpi,
                "options": list(options),
                "mpi4py": mpi4py,
            }
        )
        self._mpiexec, self._flavour, self._srun_mpi = mpiexec, flavour, srun_mpi
        self._words, self._mpi4py = tuple(options), mpi4py

    def plan(self, engine_set: EngineSet) -> KeeperPlan:
        """One channel, to an agent on this machine, which runs the program."""
        addresses = addresses_of(engine_set)
        # Every start is a world of its own, by which ranks without mpi4py find each other.
        environment = {**engine_set.environment, **identity(engine_set), "LINDEN_MPI_WORLD": secrets.token_hex(16)}
        engine = [*engine_words(engine_set), f"--mpi={self._mpi4py}"]
        variables = [*environment, "LINDEN_CONNECTION", "LINDEN_JOB_ID", "PYTHONPATH"]
        start = {
            "argv": mpi_argv(self._command(), engine_set.n, engine, variables),
            "environment": environment,
            "directory": str(engine_set.directory or os.getcwd()),
            "python_path": list(engine_set.python_path),
        }
        agent = [sys.executable, "-m", "linden_launchers.agent"]
        return KeeperPlan(
            engine_set=engine_set.name,
            log_directory=str(engine_set.log_directory),
            logs=[str(engine_set.log_of(0))],
            channels=[ChannelPlan("this machine", agent, [0], start, addresses)],
            timeout_s=_START_S,
            parent_pid=engine_set.parent_pid,
        )

    def explain(self, failure: Mapping[str, Any]) -> str:
        """Of an agent on this machine there is little that can go wrong."""
        return f"cannot start an MPI program: {failure['why'] or failure['stderr']}"

    def signal(self, job: Job, number: int, members: Iterable[int] | None = None) -> None:
        """To all ranks.  Raises: LaunchError: the program does not pass that signal on."""
        check_signal(self._command(), signal.Signals(number).name)
        super().signal(job, number, members)

    def _command(self) -> MpiCommand:
        """Asks the program what it is, unless the options say so.  Raises: LaunchError."""
        program = self._mpiexec or ("srun" if in_allocation(os.environ) or self._flavour == SRUN else "mpiexec")
        if shutil.which(program) is None:
            raise LaunchError(
                f"{program} was not found in PATH; load or install an MPI (Open MPI, MPICH), or name the program: mpiexec=..."
            )
        flavour = self._flavour or flavour_of(_ask(program, "--version"))
        if flavour is None:
            raise LaunchError(
                f"{program} is of an unknown kind (its --version says so); name its flavour: {', '.join(FLAVOURS)}"
            )
        plugin = self._srun_mpi or (srun_plugin(_ask(program, "--mpi=list")) if flavour == SRUN else "")
        return MpiCommand(program, flavour, plugin, self._words)


def _ask(program: str, question: str) -> str:
    try:
        answer = subprocess.run([program, question], capture_output=True, text=True, timeout=_ASK_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LaunchError(f"{program} {question} does not answer: {error}") from error
    return answer.stdout + answer.stderr
