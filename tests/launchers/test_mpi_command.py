"""What is said to mpiexec and srun."""

import pytest
from linden_launchers.launcher import LaunchError
from linden_launchers.systems.mpi_command import MpiCommand, check_signal, flavour_of, mpi_argv, srun_plugin

ENGINE = ["python", "-m", "linden_engine", "--mpi"]


@pytest.mark.parametrize(
    ("version", "flavour"),
    [
        ("mpiexec (OpenRTE) 4.1.4\n\nReport bugs to http://www.open-mpi.org/community/help/", "openmpi"),
        ("mpiexec (Open MPI) 5.0.3", "openmpi"),
        ("HYDRA build details:\n    Version:                                 4.0.2\n", "mpich"),
        ("Intel(R) MPI Library for Linux* OS, Version 2021.9 Build 20230306", "mpich"),
        ("slurm 22.05.8", "srun"),
        ("mpiexec 1.0 of somebody else", None),
    ],
)
def test_the_flavour_is_what_the_program_says_of_itself(version: str, flavour: str | None) -> None:
    assert flavour_of(version) == flavour


def test_variables_go_along_to_other_machines() -> None:
    argv = mpi_argv(MpiCommand("mpiexec", "openmpi", options=("--hostfile", "h")), 4, ENGINE, ["A", "B"])
    assert argv == ["mpiexec", "-n", "4", "--tag-output", "-x", "A", "-x", "B", "--hostfile", "h", *ENGINE]
    assert mpi_argv(MpiCommand("mpiexec", "mpich"), 4, ENGINE, ["A"]) == ["mpiexec", "-n", "4", "-l", *ENGINE]
    assert mpi_argv(MpiCommand("srun", "srun", "pmix"), 4, ENGINE, ["A"]) == [
        *("srun", "--ntasks=4", "--label", "--kill-on-bad-exit=1", "--mpi=pmix"),
        *ENGINE,
    ]


def test_the_plugin_of_srun_is_one_that_is_there() -> None:
    assert srun_plugin("MPI plugin types are...\n\tpmix\n\tpmi2\n\tnone\n") == "pmix"
    assert srun_plugin("MPI plugin types are...\n\tnone\n\tpmi2\n") == "pmi2"
    assert srun_plugin("MPI plugin types are...\n\tnone\n\tcray_shasta\n") == ""


def test_signals_that_would_not_reach_the_ranks_are_refused() -> None:
    check_signal(MpiCommand("mpiexec", "openmpi"), "SIGUSR2")
    with pytest.raises(LaunchError, match=r"does not pass SIGINT on.*Client\.send_signal"):
        check_signal(MpiCommand("mpiexec", "openmpi"), "SIGINT")
    with pytest.raises(LaunchError, match="SIGUSR2"):
        check_signal(MpiCommand("mpiexec", "mpich"), "SIGUSR2")  # it would end mpiexec
