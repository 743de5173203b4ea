"""A program in C++, and engines on two hosts: where its tasks run, and who fetches what from whom.  Hosts are directories here."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from linden_launchers import LocalCluster
from linden_launchers.server_command import find_program

from tests.package.conftest import WITHIN_S, Installed, built, run, wait_until
from tests.package.test_large_arguments import FUNCTIONS, MB, kept, resident

PROGRAM = r"""
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include <linden/linden.h>

namespace {

linden::Bytes filled(char with, std::size_t megabytes) {
  return linden::Bytes::adopt(std::string(megabytes << 20, with));
}

// On which hosts tasks run whose arguments are on this one.
void where(const linden::View& view) {
  for (char c = 'a'; c < 'k'; ++c)
    std::cout << view.call_python<std::string>("where:host", filled(c, 3)).get() << "\n";
  const std::vector<linden::Bytes> more{filled('k', 3), filled('l', 3), filled('m', 3)};
  for (const auto& host : view.map_python<std::string>("where:host", more).get()) std::cout << host << "\n";
}

void only_far(const linden::View& view) {
  linden::TaskOptions options;
  options.tags = {"far"};
  options.retries = 1;
  std::cout << view.with(options).call_python<std::string>("where:host", filled('x', 3)).get() << "\n";
}

// An engine of another host fetches the argument from here, and its result is fetched from there.
void exchange(const linden::Farm& farm) {
  const auto numbers = linden::Array::adopt(std::vector<double>(8 << 20, 0.5));
  auto scaled = farm.view().apply<linden::Array>("scaled", numbers, 3.0);
  const std::string id = scaled.id();
  std::cout << scaled.get().as<double>().back() << std::endl;
  std::string line;
  std::getline(std::cin, line);
  farm.purge(id);
}

}  // namespace

int main(int, char** arguments) {
  try {
    linden::ConnectOptions options;
    options.address = arguments[1];
    auto client = linden::Client::connect(options);
    {
      const linden::Farm farm(client);
      const std::string mode = arguments[2];
      if (mode == "where") where(farm.view());
      if (mode == "only far") only_far(farm.view());
      if (mode == "exchange") exchange(farm);
    }
    client.close();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
"""
WHERE = """
import os

def host(data):
    return os.path.basename(os.environ["LINDEN_DATA_DIRECTORY"])
"""


@pytest.fixture(scope="module")
def program(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(PROGRAM, "program", installed, tmp_path_factory.mktemp("programs"))


class Hosts:
    """A farm whose server and first engine are "here", as this process is; `start` starts others "there"."""

    def __init__(self, scratch: Path, cluster: LocalCluster, client: Any) -> None:
        self.scratch = scratch
        self.client = client
        self.address = json.loads(Path(cluster.connection_file).read_text())["tcp"]
        self._engines: list[subprocess.Popen[bytes]] = []

    def start(self, program: str, *arguments: object) -> None:
        there = os.environ | {"LINDEN_DATA_DIRECTORY": str(self.scratch / "there")}
        command = [find_program(program), "--connection", self.address, "--quiet", *map(str, arguments)]
        self._engines.append(subprocess.Popen(command, env=there, stdin=subprocess.DEVNULL))
        wait_until(lambda: len(self.client.engines()) == 1 + len(self._engines))

    def stop(self) -> None:
        for engine in self._engines:
            engine.terminate()
            engine.wait(WITHIN_S)


@pytest.fixture
def hosts(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    monkeypatch.setenv("LINDEN_HOME", str(scratch / "home"))
    (scratch / "where.py").write_text(WHERE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(scratch), os.environ.get("PYTHONPATH", "")]))
    for name in ("here", "there", "spill"):
        (scratch / name).mkdir()
    monkeypatch.setenv("LINDEN_DATA_DIRECTORY", str(scratch / "here"))
    monkeypatch.setenv("LINDEN_SPILL_DIRECTORY", str(scratch / "spill"))
    cluster = LocalCluster(1, engine_hold=0.2, grace=2.0, tcp="127.0.0.1:0")
    with cluster.start_and_connect(timeout=30) as client:
        hosts = Hosts(scratch, cluster, client)
        yield hosts
        hosts.stop()
    cluster.stop_cluster()


Run = Callable[[str], str]


@pytest.fixture
def printed(program: Path, installed: Installed, hosts: Hosts) -> Run:
    """What the program prints that does what its argument says."""
    return lambda mode: run(program, hosts.address, mode, env=os.environ | installed.environment)


def test_tasks_run_on_the_host_that_has_their_arguments(hosts: Hosts, printed: Run) -> None:
    hosts.start("space-engine", "--tag", "far")
    assert printed("where") == 13 * "here\n"
    assert printed("only far") == "there\n"


def test_programs_and_engines_in_cpp_fetch_from_each_other(
    hosts: Hosts, program: Path, installed: Installed, scratch: Path
) -> None:
    hosts.start("space-worker", "--load", FUNCTIONS)
    server = hosts.client.space.native.client.server_pid
    before = resident(server, "VmRSS")
    environment = os.environ | installed.environment
    with subprocess.Popen(
        [program, hosts.address, "exchange"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "1.5\n"
        assert len(kept(scratch / "there")) == 2
        assert len(kept(scratch / "here")) >= 1
        holders = hosts.client.space.read_many(("data_holder", str, str, list), 10, timeout=0)
        assert len({store for _, store, _, _ in holders}) == len(holders) == 2, "the program and the engine in C++"
        running.communicate("\n", WITHIN_S)
    assert running.returncode == 0
    assert resident(server, "VmHWM") < before + 32 * MB, "nothing of it went through the server"
