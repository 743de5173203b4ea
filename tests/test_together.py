"""Tests that share what is slow to start are run by one process."""

from tests.together import scope_of


def test_a_file_or_a_system_of_launchers_is_a_scope() -> None:
    contract = "tests/launchers/contract/test_contract.py"
    assert scope_of(f"{contract}::test_a[slurm]") == scope_of("tests/launchers/contract/test_nasty.py::test_b[slurm]")
    assert scope_of(f"{contract}::test_a[slurm-accounting]") != scope_of(f"{contract}::test_a[slurm]")
    assert scope_of("tests/python/test_hub.py::TestIt::test_a[x]") == "tests/python/test_hub.py"
