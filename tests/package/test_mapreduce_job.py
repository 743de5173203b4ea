"""A program in C++ and MapReduce jobs: what drives one may die, and what is wrong is said."""

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import linden
import pytest
from linden import mapreduce_remote as remote
from linden import run_store

from tests.package.conftest import WITHIN_S, Installed, built, wait_until

PROGRAM = r"""
// Does with a MapReduce job that somebody else has started what the third argument says.
#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include <linden/linden.h>

namespace {

void read(const linden::MapReduceJob& job) {
  job.for_each<std::string, std::int64_t>([](const std::string& key, std::int64_t value) {
    std::cout << key << " " << value << "\n";
  });
}

// What a function throws that gets pairs is not what an engine says, whatever it looks like.
void throw_at_the_first(const linden::MapReduceJob& job) {
  int pairs = 0;
  try {
    job.for_each<std::string, std::int64_t>([&pairs](const std::string&, std::int64_t) {
      ++pairs;
      throw linden::EngineDied("mine", "this was the program");
    });
  } catch (const linden::EngineDied& error) {
    std::cout << error.task() << ": " << error.what() << ", at pair " << pairs << "\n";
  }
}

void read_sizes(const linden::MapReduceJob& job) {
  job.for_each<std::string, std::int64_t>([](const std::string& key, std::int64_t value) {
    std::cout << key.at(0) << " " << key.size() << " " << value << "\n";
  });
}

void cancel(const linden::MapReduceJob& job) {
  std::cout << std::boolalpha << job.cancel() << "\n" << job.cancel() << "\n";
  try {
    job.get();
  } catch (const linden::TaskCancelled& error) {
    std::cout << error.what() << "\n";
  }
}

void start(const linden::Farm& farm) {
  const linden::MapReduce words(linden::JobFunction::native("words"), linden::JobFunction::sum());
  (void)words.run(farm, std::vector<std::string>{"a"});
}

int interrupted(const linden::MapReduceJob& job) {
  int times = 0;
  const bool over = job.wait(linden::kForever, [&times] { return ++times == 2; });
  return over || times != 2 ? 3 : 0;
}

void say_if_late(const std::function<void()>& call) {
  try {
    call();
  } catch (const linden::Error& error) {
    if (error.code() != linden::ErrorCode::kOutcomeUnknown) throw;
    std::cout << error.what() << "\n";
  }
}

constexpr auto kSoon = std::chrono::milliseconds(20);
const linden::Interrupt kNow = [] { return true; };

void read_late(const linden::MapReduceJob& job) {
  const auto ignore = [](const std::string&, std::int64_t) {};
  say_if_late([&] { job.for_each<std::string, std::int64_t>(ignore, kSoon); });
  say_if_late([&] { job.for_each<std::string, std::int64_t>(ignore, linden::kForever, kNow); });
  say_if_late([&] { (void)job.pairs<std::string, std::int64_t>(kSoon); });
  say_if_late([&] { (void)job.paths(kSoon); });
  say_if_late([&] { (void)job.paths(linden::kForever, kNow); });
}

void purge_late(const linden::MapReduceJob& job) {
  say_if_late([&] { job.purge(kSoon); });
  say_if_late([&] { job.purge(linden::kForever, kNow); });
}

// Pages come at once, and nothing is waited for.
void stop_reading(const linden::MapReduceJob& job) {
  bool stop = false;
  int pairs = 0;
  const auto count = [&](const std::string&, std::int64_t) { stop = ++pairs > 0; };
  const auto stopped = [&] { return stop; };
  say_if_late([&] { job.for_each<std::string, std::int64_t>(count, linden::kForever, stopped); });
  std::cout << pairs << "\n";
}

}  // namespace

int main(int, char** arguments) {
  try {
    linden::ConnectOptions options;
    options.address = arguments[1];
    auto client = linden::Client::connect(options);
    const linden::Farm farm(client);
    const auto job = linden::MapReduce::attach(farm, arguments[2]);
    const std::string mode = arguments[3];
    std::cout << "waiting" << std::endl;
    if (mode == "start") start(farm);
    if (mode == "interrupted") return interrupted(job);
    if (mode == "late") return read_late(job), 0;
    if (mode == "late purge") return purge_late(job), 0;
    if (mode == "stop reading") stop_reading(job);
    if (mode == "get") job.get();
    if (mode == "wait") std::cout << std::boolalpha << job.wait() << "\n";
    if (mode == "cancel") cancel(job);
    if (mode == "sizes") read_sizes(job);
    if (mode == "throw") throw_at_the_first(job);
    if (mode == "read") {
      read(job);
      if (!job.progress().over() || job.cancel()) return 3;
    }
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

def enlarge(record):
    yield record * (5 << 20), 1

def fail(record):
    raise ValueError(record + " is wrong")
"""
JOB = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def read_job(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(PROGRAM, "read_job", installed, tmp_path_factory.mktemp("programs"))


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


def start(
    farm: linden.Client,
    name: str = "slow",
    job: str = JOB,
    mapper: str = "waiting_mapper:wait",
    reducer: Sequence[str] = ("sum",),
    **options: object,
) -> None:
    """As `linden::MapReduce::run` does it."""
    functions = [["python", mapper], list(reducer), None]
    source = ["records", ["a", "b", "a", "c"]]
    farm[0].apply_sync(remote.start, name, job, functions, [list(each) for each in options.items()], source)


class Program:
    """The program above, and one job; `mode` is what it does with it."""

    def __init__(self, path: Path, installed: Installed, farm: linden.Client, mode: str, job: str = "slow") -> None:
        self.process = subprocess.Popen(
            [str(path), farm.connection.address, job, mode],
            env=installed.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.is_waiting = self.process.stdout.readline() == "waiting\n"

    def __enter__(self) -> "Program":
        assert self.is_waiting
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self, code: int = 0) -> str:
        """Waits for it; what it has printed, or said if it has failed."""
        printed, said = self.process.communicate(timeout=WITHIN_S)
        assert self.process.returncode == code, said
        return printed if code == 0 else said


def kill_engines(farm: linden.Client) -> None:
    for engine in farm.engines():
        os.kill(engine.info["pid"], signal.SIGKILL)
    wait_until(lambda: not farm.engines())  # their sessions end when their hold time is over


def one_with_runs(farm: linden.Client) -> linden.farm.Engine:
    """The engine that keeps the most runs: which one has reduced what is chance."""

    def folder() -> str:
        from linden import run_store

        return run_store.store.directory

    return max(farm.engines(), key=lambda engine: len(os.listdir(farm.direct_view(engine.id).apply_sync(folder))))


def lose_runs() -> int:
    """As the next engine that has runs to keep would do it; how many there were of engines that have gone."""
    there = set(Path(tempfile.gettempdir()).glob("linden-runs-*/*"))
    run_store.sweep()
    return sum(not run.exists() for run in there)


def tasks_of_others(farm: linden.Client) -> int:
    """Tasks in the farm that are not the job's."""
    every = farm.space.count(("task", *[linden.ANY] * 8))
    return every - farm.space.count(("task", linden.ANY, JOB, *[linden.ANY] * 6))


def test_another_engine_goes_on_when_the_one_that_drives_is_killed(
    installed: Installed, read_job: Path, waiting_farm: linden.Client, go_on: Path
) -> None:
    start(waiting_farm, partitions=2)
    with Program(read_job, installed, waiting_farm, "read") as program:
        os.kill(waiting_farm.engines()[0].info["pid"], signal.SIGKILL)
        go_on.touch()
        assert program.end() == "a 2\nb 1\nc 1\n"


def test_a_program_cancels_a_job_that_somebody_else_has_started(
    installed: Installed, read_job: Path, waiting_farm: linden.Client
) -> None:
    start(waiting_farm)
    with Program(read_job, installed, waiting_farm, "cancel") as program:
        assert program.end() == "true\ntrue\nMapReduce 'slow' was cancelled\n"
    assert tasks_of_others(waiting_farm) == 0


def test_a_program_hears_that_a_job_is_over_and_what_it_has_failed_with(
    installed: Installed, read_job: Path, waiting_farm: linden.Client, go_on: Path
) -> None:
    go_on.touch()
    start(waiting_farm)
    with Program(read_job, installed, waiting_farm, "wait") as program:
        assert program.end() == "true\n"
    start(waiting_farm, mapper="waiting_mapper:fail")
    with Program(read_job, installed, waiting_farm, "get") as program:
        assert re.fullmatch(r"ValueError: .*ValueError: [abc] is wrong\n", program.end(1))


def test_a_wait_that_is_interrupted_is_over_and_asks_only_until_then(
    installed: Installed, read_job: Path, waiting_farm: linden.Client
) -> None:
    start(waiting_farm)
    with Program(read_job, installed, waiting_farm, "interrupted") as program:
        program.end()


NOT_DONE = "MapReduce 'slow' is not done yet; it may be asked again\n"
LATE = "no engine has answered in time what MapReduce has asked; it may be asked again\n"


@pytest.fixture
def stopped(waiting_farm: linden.Client) -> Iterator[Callable[[int], None]]:
    """Call it with a signal for all engines; in the end they go on."""
    pids = [engine.info["pid"] for engine in waiting_farm.engines()]

    def send(number: int) -> None:
        for pid in pids:
            os.kill(pid, number)

    yield send
    send(signal.SIGCONT)


def test_what_is_read_of_a_job_is_waited_for_in_time(
    installed: Installed,
    read_job: Path,
    waiting_farm: linden.Client,
    go_on: Path,
    stopped: Callable[[int], None],
) -> None:
    start(waiting_farm)
    with Program(read_job, installed, waiting_farm, "late") as program:
        assert program.end() == 5 * NOT_DONE
    go_on.touch()
    linden.MapReduce.attach(waiting_farm, "slow").get()
    stopped(signal.SIGSTOP)
    with Program(read_job, installed, waiting_farm, "late") as program:
        assert re.fullmatch(
            f"({LATE}|{NOT_DONE}){{5}}", program.end()
        )  # who is slow does not even hear that it is done
    stopped(signal.SIGCONT)
    with Program(read_job, installed, waiting_farm, "read") as program:
        assert program.end() == "a 2\nb 1\nc 1\n"


def test_a_purge_is_waited_for_in_time(
    installed: Installed,
    read_job: Path,
    waiting_farm: linden.Client,
    go_on: Path,
    stopped: Callable[[int], None],
) -> None:
    go_on.touch()
    start(waiting_farm)
    linden.MapReduce.attach(waiting_farm, "slow").get()
    stopped(signal.SIGSTOP)
    with Program(read_job, installed, waiting_farm, "late purge") as program:
        assert program.end() == 2 * LATE
    stopped(signal.SIGCONT)
    wait_until(lambda: tasks_of_others(waiting_farm) == 0)


def test_reading_is_interrupted_between_pages_that_are_there(
    installed: Installed, read_job: Path, waiting_farm: linden.Client, go_on: Path
) -> None:
    go_on.touch()
    records = [f"{number:05}" for number in range(remote._PAGE_PAIRS + 1)]
    functions = [["python", "waiting_mapper:wait"], ["sum"], None]
    waiting_farm[0].apply_sync(remote.start, "slow", JOB, functions, [], ["records", records])
    with Program(read_job, installed, waiting_farm, "stop reading") as program:
        assert program.end() == f"{LATE}{remote._PAGE_PAIRS}\n"


# What looks like the death of an engine is only one if an engine has died: the page is not read again for it.
def test_what_a_reader_throws_ends_the_reading(
    installed: Installed, read_job: Path, waiting_farm: linden.Client, go_on: Path
) -> None:
    go_on.touch()
    start(waiting_farm)
    with Program(read_job, installed, waiting_farm, "throw") as program:
        assert program.end() == "mine: this was the program, at pair 1\n"


@pytest.mark.parametrize("mode", ["start", "wait", "read", "cancel", "purge"])
def test_nobody_waits_for_ever_where_no_engine_is(
    installed: Installed, read_job: Path, waiting_farm: linden.Client, mode: str
) -> None:
    start(waiting_farm)
    kill_engines(waiting_farm)
    with Program(read_job, installed, waiting_farm, mode) as program:
        assert program.end(1) == (
            "there is no engine that runs Python in farm 'farm', and MapReduce needs one; start engines\n"
        )
    assert tasks_of_others(waiting_farm) == 0  # what engines were asked is taken back


# It cannot both give the page and make what is lost of it.
def test_the_only_engine_left_makes_again_what_is_read_from_it(
    installed: Installed, read_job: Path, waiting_farm: linden.Client
) -> None:
    start(waiting_farm, mapper="waiting_mapper:enlarge", partitions=8)
    linden.MapReduce.attach(waiting_farm, "slow").get()
    gone = one_with_runs(waiting_farm)
    os.kill(gone.info["pid"], signal.SIGKILL)
    wait_until(lambda: gone.id not in waiting_farm.ids)
    assert lose_runs()
    with Program(read_job, installed, waiting_farm, "sizes") as program:
        assert program.end() == "".join(f"{key} {5 << 20} {times}\n" for key, times in [("a", 2), ("b", 1), ("c", 1)])


def test_nobody_reads_for_ever_where_no_engine_is_any_more(
    installed: Installed, read_job: Path, waiting_farm: linden.Client, go_on: Path
) -> None:
    go_on.touch()
    start(waiting_farm)
    linden.MapReduce.attach(waiting_farm, "slow").get()
    kill_engines(waiting_farm)
    with Program(read_job, installed, waiting_farm, "read") as program:
        assert "there is no engine that runs Python" in program.end(1)


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
        while (found := waiting_farm[engine].apply_sync(remote.page, "many", "somebody", number)) is None:
            time.sleep(0.02)
        pairs, is_last = found
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
