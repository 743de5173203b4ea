"""The examples in C++ are built outside the tree against the installed package, and run in a farm of engines in Python."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import linden
import pytest

from tests.conftest import ROOT
from tests.package.conftest import Installed, run

EXAMPLES = ROOT / "docs" / "examples" / "cpp"


@pytest.fixture(scope="module")
def by_cmake(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the programs of all examples, each of which is a project of its own."""
    built = tmp_path_factory.mktemp("examples")
    for example in sorted(EXAMPLES.iterdir()):
        if not example.is_dir():
            continue
        folder = built / f"{example.name}.build"
        run("cmake", "-S", example, "-B", folder, "-G", "Ninja", env=installed.environment)
        run("cmake", "--build", folder, env=installed.environment)
        (folder / example.name).rename(built / example.name)
    return built


EXPECTED = """\
sqrt(2) = 1.41421
hands: 1 52 1326 22100 270725 2598960
hypotenuse(3, 4) = 5
error: ValueError: math domain error
found again: ValueError
"""


def test_a_program_submits_to_engines_in_python(installed: Installed, by_cmake: Path, farm: linden.Client) -> None:
    assert run(by_cmake / "submit", farm.connection.address, env=installed.environment) == EXPECTED


def test_pkg_config_builds_it_as_well(installed: Installed, tmp_path: Path, farm: linden.Client) -> None:
    flags = run("pkg-config", "--cflags", "--libs", "linden", env=installed.environment).split()
    program = tmp_path / "submit"
    run("ccache", "g++", "-std=c++20", "-c", EXAMPLES / "submit" / "main.cpp", "-o", tmp_path / "main.o", *flags)
    run("g++", tmp_path / "main.o", "-o", program, *flags)
    assert run(program, farm.connection.address, env=installed.environment) == EXPECTED


WORDS = """\
a 2
is 2
rose 3
done, 2 lines
digits: 0=1 1=5 2=2 3=1 4=1 5=1 6=1 7=1 8=2
error: TypeError, so the job has failed
"""


def test_a_program_starts_mapreduce_jobs(
    installed: Installed, by_cmake: Path, farm: linden.Client, tmp_path: Path
) -> None:
    poem = tmp_path / "poem.txt"
    poem.write_text("a rose is\na rose is rose\n")
    printed = run(by_cmake / "mapreduce", farm.connection.address, poem, env=installed.environment)
    assert printed == WORDS
    assert farm.space.count(("job", linden.ANY, linden.ANY, linden.ANY, linden.ANY, linden.ANY)) == 0
    assert farm.space.count(("result", str, int, str, list, linden.ANY)) == 0


@pytest.fixture
def engine(installed: Installed, by_cmake: Path, farm: linden.Client) -> Iterator[None]:
    """The example's engine serves the farm, and ends in good order when it is told to."""
    there = len(farm.engines())
    program = subprocess.Popen([str(by_cmake / "engine"), farm.connection.address], env=installed.environment)
    try:
        deadline = time.monotonic() + 60
        while len(farm.engines()) == there:
            assert program.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield
    finally:
        program.terminate()
        code = program.wait(30)
    assert code == 0


@pytest.mark.usefixtures("engine")
def test_a_program_serves_as_an_engine_to_a_client_in_python(farm: linden.Client) -> None:
    view = farm.load_balanced_view()
    assert view.apply_sync(linden.native("primes_below"), 20) == [2, 3, 5, 7, 11, 13, 17, 19]
    assert view.map_sync(linden.native("mean"), [[1.0, 2.0], [5.0]]) == [1.5, 5.0]
    with pytest.raises(linden.RemoteError, match="no numbers have no mean"):
        view.apply_sync(linden.native("mean"), [])


def test_a_wrong_address_is_said_in_words(installed: Installed, by_cmake: Path, tmp_path: Path) -> None:
    command = [str(by_cmake / "submit"), "nowhere"]
    ran = subprocess.run(command, env=installed.environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    assert "nowhere" in ran.stderr
