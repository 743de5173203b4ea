"""A program in C++ gives large arguments to an engine in Python and to one in C++: the server sees their names only."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import linden
import pytest
from linden.data import _ORPHANS_S
from linden_launchers.server_command import find_program

from tests.conftest import ROOT
from tests.package.conftest import WITHIN_S, Installed, built, run, wait_until

PROGRAM = r"""
// Gives so many MiB to functions in Python and in C++, as bytes and as an array; with "hold" it then waits.
#include <cstdint>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <linden/linden.h>

int main(int, char** arguments) {
  try {
    linden::ConnectOptions options;
    options.address = arguments[1];
    auto client = linden::Client::connect(options);
    {
      const linden::Farm farm(client);
      farm.wait_for_engines(2, std::chrono::seconds(30));
      const auto view = farm.view();
      const std::size_t size = std::stoul(arguments[2]) << 20;
      const auto bytes = linden::Bytes::adopt(std::string(size, 'x'));
      const auto array = linden::Array::adopt(std::vector<double>(size / sizeof(double), 0.5));
      if (std::string(arguments[3]) == "hold") {
        const auto held = view.call_python<std::string>("holding:hold", bytes);
        std::string line;
        std::getline(std::cin, line);
        return 0;
      }
      std::cout.precision(12);
      std::cout << view.call_python<std::int64_t>("builtins:len", bytes).get() << "\n"
                << 2 * view.call_python<double>("numpy:sum", array).get() << "\n";
      auto back = view.apply<linden::Bytes>("same", bytes);
      std::cout << back.get().size() << "\n";
      auto scaled = view.apply<linden::Array>("scaled", array, 2.0);
      std::cout << scaled.get().as<double>().back() << "\n";
      for (const auto& id : {back.id(), scaled.id()}) farm.purge(id);
    }
    client.close();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
"""
# Says that it has its argument, and waits until it may go on.
HOLDING = """
import pathlib
import time

def hold(data):
    pathlib.Path({held!r}).write_text(str(len(data)))
    while not pathlib.Path({go_on!r}).exists():
        time.sleep(0.01)
    return "done"
"""
FUNCTIONS = ROOT / "build" / "tests" / "workers" / "cpp" / "plugins" / "test_functions.so"
MB = 1 << 20

Start = Callable[..., linden.Client]


@pytest.fixture(scope="module")
def give(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(PROGRAM, "give", installed, tmp_path_factory.mktemp("programs"))


@pytest.fixture
def memory(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of /dev/shm."""
    for variable, name in {"LINDEN_DATA_DIRECTORY": "shm", "LINDEN_SPILL_DIRECTORY": "spill"}.items():
        (scratch / name).mkdir()
        monkeypatch.setenv(variable, str(scratch / name))
    return scratch / "shm"


@pytest.fixture
def start(scratch: Path, memory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """``start()``: a farm with an engine in Python and one in C++; nothing of it is in memory in the end."""
    monkeypatch.setenv("LINDEN_HOME", str(scratch / "home"))
    (scratch / "holding.py").write_text(HOLDING.format(held=str(scratch / "held"), go_on=str(scratch / "go-on")))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(scratch), os.environ.get("PYTHONPATH", "")]))
    workers: list[subprocess.Popen[bytes]] = []
    farms = ExitStack()

    def make() -> linden.Client:
        rc = farms.enter_context(linden.start(1))
        command = [find_program("space-worker"), "--connection", rc.connection.address, "--load", str(FUNCTIONS)]
        workers.append(subprocess.Popen([*command, "--quiet"], stdin=subprocess.DEVNULL))
        wait_until(lambda: len(rc.engines()) == 2)
        return rc

    yield make
    for worker in workers:
        worker.terminate()
        worker.wait(WITHIN_S)
    farms.close()
    wait_until(lambda: not list(memory.iterdir()))


def kept(memory: Path) -> list[Path]:
    return list(memory.glob("linden-*/kept/*"))


def printed(megabytes: int) -> str:
    size = megabytes * MB
    return f"{size}\n{size // 8}\n{size}\n1\n"


def uses(rc: linden.Client) -> int:
    return int(rc.space.count(("data", str, str, int, str)))


def resident(pid: int, what: str) -> int:
    """Of a process: "VmRSS" now, "VmHWM" at most so far; in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{what}:\s+(\d+) kB", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) << 10


def test_the_server_does_not_see_them_and_nothing_is_left(
    installed: Installed, give: Path, start: Start, memory: Path
) -> None:
    rc = start()
    server = rc.space.native.client.server_pid
    before = resident(server, "VmRSS")
    assert run(give, rc.connection.address, 64, "", env=installed.environment) == printed(64)
    assert resident(server, "VmHWM") < before + 32 * MB
    assert uses(rc) == 0
    wait_until(lambda: not kept(memory))


def test_a_full_store_costs_nothing_but_speed(
    installed: Installed, give: Path, start: Start, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINDEN_DATA_MEMORY", "1")
    monkeypatch.setenv("LINDEN_DATA_DISK", "1")
    rc = start()
    server = rc.space.native.client.server_pid
    before = resident(server, "VmRSS")
    environment = installed.environment | {"LINDEN_DATA_MEMORY": "1", "LINDEN_DATA_DISK": "1"}
    assert run(give, rc.connection.address, 8, "", env=environment) == printed(8)
    assert resident(server, "VmHWM") > before + 7 * MB, "they went through it"
    assert not kept(memory)


def test_what_a_killed_program_gave_stays_for_its_task_and_goes_with_it(
    installed: Installed, give: Path, start: Start, scratch: Path, memory: Path
) -> None:
    rc = start()
    command = [str(give), rc.connection.address, "64", "hold"]
    program = subprocess.Popen(command, env=installed.environment, stdin=subprocess.PIPE)
    wait_until((scratch / "held").exists)
    assert len(kept(memory)) == 1
    program.send_signal(signal.SIGKILL)
    program.communicate()
    (scratch / "go-on").touch()
    wait_until(lambda: rc.space.count(("result", str, int, "ok", linden.ANY, linden.ANY)) == 1)
    assert uses(rc) == 1
    rc.submitter.data.join()
    rc.submitter.data._orphans_sought -= 2 * _ORPHANS_S  # somebody does this within a minute or two
    rc.submitter.data.nudge()
    wait_until(lambda: not kept(memory))
