"""What the MPI launcher says to mpiexec or srun, and how it knows which of them it has.  Pure: text in, text out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..launcher import LaunchError

OPENMPI, MPICH, SRUN = "openmpi", "mpich", "srun"
FLAVOURS = (OPENMPI, MPICH, SRUN)

# Signals that reach the ranks through the program that has started them (mpiexec(1), srun(1)).  Others end the program, or are lost.
_PASSED_ON = {OPENMPI: {"SIGUSR1", "SIGUSR2"}, MPICH: {"SIGUSR1"}, SRUN: {"SIGUSR1", "SIGUSR2", "SIGHUP"}}
_ENDING = {"SIGTERM", "SIGKILL"}


@dataclass(frozen=True)
class MpiCommand:
    """A program that starts ranks."""

    program: str
    flavour: str
    plugin: str = ""  # of srun: --mpi=
    options: tuple[str, ...] = ()  # further words, such as "--hostfile", "hosts"


def flavour_of(version: str) -> str | None:
    """Whose mpiexec says this for --version; None: unknown."""
    if re.search(r"Open ?RTE|Open MPI|PRRTE|prterun", version):
        return OPENMPI
    if re.search(r"HYDRA|Intel\(R\) MPI|MPICH", version):
        return MPICH
    return SRUN if re.match(r"slurm", version) else None


def srun_plugin(listed: str) -> str:
    """Which of srun's plugins (``srun --mpi=list``) suits most MPI libraries; empty: none of them."""
    words = listed.split()
    return next((plugin for plugin in ("pmix", "pmi2") if plugin in words), "")


def in_allocation(environment: Mapping[str, str]) -> bool:
    """Whether this process runs inside an allocation of Slurm, where srun knows the nodes."""
    return bool(environment.get("SLURM_JOB_ID"))


def mpi_argv(command: MpiCommand, n: int, engine: Sequence[str], variables: Sequence[str]) -> list[str]:
    """The command that starts *n* ranks of *engine*; *variables* are to reach them on every machine.

    Lines that ranks write are marked with the rank.  A rank that dies takes the program with it, as MPI programs expect.
    """
    if command.flavour == OPENMPI:
        exported = [word for name in variables for word in ("-x", name)]
        return [command.program, "-n", str(n), "--tag-output", *exported, *command.options, *engine]
    if command.flavour == MPICH:
        # Without -genvlist all of the environment goes along.
        return [command.program, "-n", str(n), "-l", *command.options, *engine]
    plugin = [f"--mpi={command.plugin}"] if command.plugin else []
    return [command.program, f"--ntasks={n}", "--label", "--kill-on-bad-exit=1", *plugin, *command.options, *engine]


def check_signal(command: MpiCommand, name: str) -> None:
    """Raises: LaunchError: the program does not pass that signal on to the ranks."""
    known = _PASSED_ON[command.flavour] | _ENDING
    if name not in known:
        raise LaunchError(
            f"{command.program} ({command.flavour}) does not pass {name} on to the ranks, only {', '.join(sorted(known))}; "
            "Client.send_signal and Client.abort reach each engine"
        )
