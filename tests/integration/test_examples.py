"""The programs of docs/examples run, compute what they should, and leave nothing behind."""

import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "examples"


def run(name: str, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, str(FOLDER / name), *arguments], capture_output=True, text=True, timeout=90, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def numbers_in(text: str, pattern: str) -> list[float]:
    found = re.search(pattern, text)
    assert found, text
    return [float(group) for group in found.groups()]


def pi(printed: str) -> None:
    value, error = numbers_in(printed.splitlines()[-1], r"pi is ([\d.]+) \+- ([\d.]+)")
    assert error < 0.005
    assert abs(value - math.pi) < 5 * error


def matrix(printed: str) -> None:
    assert printed.count("(100, 400)") == 4
    assert numbers_in(printed, r"at home: (\S+)")[0] < 1e-9


def options(printed: str) -> None:
    assert len(printed.splitlines()) == 14
    assert numbers_in(printed, r"largest relative difference: (\S+)")[0] < 0.05


def graph(printed: str) -> None:
    mean, deviation = numbers_in(printed, r"mean (\S+), standard deviation (\S+)")
    assert abs(mean) < 0.05
    assert abs(deviation - 1) < 0.05
    assert "24000 values" in printed
    assert "after the sum: True" in printed


def wave(printed: str) -> None:
    assert "in 4 parts" in printed
    assert numbers_in(printed, r"from one process: (\S+)")[0] < 1e-12


def remote(printed: str) -> None:
    assert printed == "the first primes: 2 3 5 7 11 13 17 19 23 29 31 37\na sum over another: 10\n"


def steering(printed: str) -> None:
    orders = re.findall(r"now (\w+)", printed)
    assert orders == ["rate", "heat", "stop"]
    assert numbers_in(printed, r"the highest was ([\d.]+)")[0] > 200  # it was heated


def two_clients(printed: str) -> None:
    assert printed.splitlines() == [
        "bob: alice's squares are [0, 4, 16, 36, 64]",
        "alice: bob's squares are [1, 9, 25, 49, 81], the sum of all is 285",
    ]


EXAMPLES: dict[str, Callable[[str], None]] = {
    "matrix_product.py": matrix,
    "monte_carlo_pi.py": pi,
    "options_pricing.py": options,
    "remote_iteration.py": remote,
    "steering.py": steering,
    "two_clients.py": two_clients,
    "task_graph.py": graph,
    "wave_equation.py": wave,
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str) -> None:
    EXAMPLES[name](run(name))


def test_word_count(scratch: Path) -> None:
    folder = scratch / "texts"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.txt").write_text(f"the cat and the dog {number}\n" * (number + 1))
    printed = run("word_count.py", str(folder), "*.txt")
    assert "20 files, 1,050 words, 4 different ones" in printed
    assert {"420 the", "210 cat", "210 and", "210 dog"} == {line.strip() for line in printed.splitlines()[2:]}


def test_every_example_is_tested_and_listed() -> None:
    programs = {path.name for path in FOLDER.glob("*.py")}
    # That with MPI is tested where MPI is: tests/launchers/contract/test_steering_example.py.
    assert programs == {*EXAMPLES, "word_count.py", "steering_mpi.py"}
    assert programs == set(re.findall(r"\((\w+\.py)\)", (FOLDER / "README.md").read_text()))
