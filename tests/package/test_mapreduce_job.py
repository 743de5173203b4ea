"""A program in C++ and MapReduce jobs: what drives one may die, and what is wrong is said."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import linden
import pytest
from linden import mapreduce_remote as remote

from tests.package.conftest import Installed, run

PROGRAM = r"""
// Waits for a MapReduce job that somebody else has started, and prints its pairs.
#include <cstdint>
#include <iostream>
#include <string>

#include <linden/linden.h>

int main(int, char** arguments) {
  try {
    linden::ConnectOptions options;
    options.address = arguments[1];
    auto client = linden::Client::connect(options);
    const auto job = linden::MapReduce::attach(linden::Farm(client), arguments[2]);
    std::cout << "waiting" << std::endl;
    job.for_each<std::string, std::int64_t>([](const std::string& key, std::int64_t value) {
      std::cout << key << " " << value << "\n";
    });
    if (!job.progress().over() || job.cancel()) return 3;
    job.purge();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
"""
MAPPER = """
import pathlib
import time

def wait(record):
    while not pathlib.Path({go_on!r}).exists():
        time.sleep(0.01)
    yield record, 1
"""
DEADLINE_S = 60
JOB = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def read_job(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    flags = run("pkg-config", "--cflags", "--libs", "linden", env=installed.environment).split()
    (folder / "main.cpp").write_text(PROGRAM)
    run("ccache", "g++", "-std=c++20", "-Wall", "-Wextra", "-c", folder / "main.cpp", "-o", folder / "main.o", *flags)
    run("g++", folder / "main.o", "-o", folder / "read_job", *flags)
    return folder / "read_job"


@pytest.fixture
def go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file for which the mapper ``waiting_mapper:wait`` waits; engines that start now have it."""
    (tmp_path / "waiting_mapper.py").write_text(MAPPER.format(go_on=str(tmp_path / "go-on")))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    return tmp_path / "go-on"


@pytest.fixture
def waiting_farm(go_on: Path, farm: linden.Client) -> Iterator[linden.Client]:
    """Its engines have the mapper."""
    yield farm
    go_on.touch()


def start(farm: linden.Client, name: str = "slow", job: str = JOB, **options: object) -> None:
    """As `linden::MapReduce::run` does it."""
    functions = [["python", "waiting_mapper:wait"], ["sum"], None]
    source = ["records", ["a", "b", "a", "c"]]
    farm[0].apply_sync(remote.start, name, job, functions, [list(each) for each in options.items()], source)


def test_another_engine_goes_on_when_the_one_that_drives_is_killed(
    installed: Installed, read_job: Path, waiting_farm: linden.Client, go_on: Path
) -> None:
    start(waiting_farm, partitions=2)
    command = [str(read_job), waiting_farm.connection.address, "slow"]
    program = subprocess.Popen(command, env=installed.environment, stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "waiting\n"
        os.kill(waiting_farm.engines()[0].info["pid"], signal.SIGKILL)
        go_on.touch()
        printed, _ = program.communicate(timeout=DEADLINE_S)
    finally:
        program.kill()
        program.wait()
    assert program.returncode == 0
    assert printed == "a 2\nb 1\nc 1\n"


def test_a_call_that_is_given_once_more_starts_nothing_twice(waiting_farm: linden.Client, go_on: Path) -> None:
    start(waiting_farm)
    go_on.touch()
    start(waiting_farm)  # as after the death of the engine that had done it, and could not say so
    with pytest.raises(linden.RemoteError, match="there is a MapReduce job 'slow' already"):
        start(waiting_farm, job="f" * 32)
    assert linden.MapReduce.attach(waiting_farm, "slow").as_dict() == {"a": 2, "b": 1, "c": 1}
    linden.MapReduce.discard(waiting_farm, "slow")


def test_pages_are_given_again_and_by_whoever_is_asked(waiting_farm: linden.Client, go_on: Path) -> None:
    go_on.touch()
    records = [f"{number:05}" for number in range(2 * remote._PAGE_PAIRS + 1)]
    waiting_farm[0].apply_sync(
        remote.start, "many", JOB, [["python", "waiting_mapper:wait"], ["sum"], None], [], ["records", records]
    )

    def page(engine: int, number: int) -> list[str]:
        pairs, is_last = waiting_farm[engine].apply_sync(remote.page, "many", "somebody", number)
        assert is_last == (number == 2)
        return [key for key, _ in pairs]

    assert page(0, 0) == page(0, 0) == page(1, 0)
    assert page(1, 1) == page(0, 1) == page(0, 1)
    assert page(1, 0) + page(1, 1) + page(0, 2) == records
    for engine in (0, 1):
        waiting_farm[engine].apply_sync(remote.end_reading, "many", "somebody")
        waiting_farm[engine].apply_sync(remote.end_reading, "many", "somebody")
    waiting_farm[1].apply_sync(remote.purge, "many")
    with pytest.raises(linden.RemoteError, match="no MapReduce job 'many'"):
        page(0, 0)


def test_what_makes_no_sense_is_said(waiting_farm: linden.Client) -> None:
    def refused(functions: list[object], options: list[object], source: list[object]) -> str:
        with pytest.raises(linden.RemoteError) as error:
            waiting_farm[0].apply_sync(remote.start, "wrong", JOB, functions, options, source)
        return str(error.value)

    good = [["native", "words"], ["sum"], None]
    assert "partitions must be" in refused(good, [["partitions", -1]], ["records", []])
    assert "no-such-file" in refused(good, [], ["text", ["/no-such-file"], []])
    assert "no_such_module" in refused([["python", "no_such_module:f"], ["sum"], None], [], ["records", [1]])
    with pytest.raises(RuntimeError, match="in a task only"):
        remote.drive("wrong")
