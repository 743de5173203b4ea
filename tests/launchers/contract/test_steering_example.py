"""The example that steers an MPI program, on a real one of four ranks: under mpiexec, and under srun within an allocation."""

import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.launchers.contract.conftest import Contract


@pytest.mark.needs("steering")
@pytest.mark.timeout(300)
def test_a_running_mpi_program_is_steered(contract: Contract) -> None:
    example = str(ROOT / "docs" / "examples" / "steering_mpi.py")
    command = contract.system.program([sys.executable, example])
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    totals = [float(total) for total in re.findall(r"step \d+: (\d+) in the rod", ran.stdout)]
    assert len(totals) == 3
    assert totals[1] > totals[0], "the source became hotter"
    assert "4 ranks, 200 cells" in ran.stdout
