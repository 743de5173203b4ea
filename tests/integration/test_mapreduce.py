"""MapReduce on real engines: kills at random moments, clients that go and come back, slow engines, and bad input.

F1: the result is the same whoever is killed; nothing is left on disk (conftest looks).
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import linden
import linden.run_store
import pytest
from linden import job_tuples
from linden.mapreduce import count, increment, native

Farm = Callable[..., Any]
# As often as the plan asks for; a shorter form is the usual one.
ROUNDS = int(os.environ.get("LINDEN_MAPREDUCE_KILLS", "5"))


def words(line: str) -> Iterator[tuple[str, int]]:
    for word in line.split():
        yield word, 1


def slow_words(line: str) -> Iterator[tuple[str, int]]:
    import time

    time.sleep(0.002)
    for word in line.split():
        yield word, 1


def total(_key: Any, values: Iterator[int]) -> int:
    return sum(values)


def slow_total(_key: Any, values: Iterator[int]) -> int:
    import time

    time.sleep(0.002)
    return sum(values)


@pytest.fixture
def text(scratch: Path) -> Path:
    """Some Zipf text."""
    chance = random.Random(11)
    lines = [" ".join(f"w{int(chance.paretovariate(0.8)) % 500}" for _ in range(8)) for _ in range(400)]
    path = scratch / "text.txt"
    path.write_text("\n".join(lines))
    return path


def counted(path: Path) -> dict[str, int]:
    return dict(Counter(path.read_text().split()))


def left_in(client: linden.Client) -> list[Any]:
    """What the farm still has of any job."""
    kinds = {"job", "job_driver", "payload", "task", "result", "output", "cancelled"}
    summary = client.space.native.client.wait(client.space.native.send_summarize(1))
    return [group["first_fields"] for group in summary["groups"] if group["first_fields"][0] in kinds]


# ---- kills


@pytest.mark.slow
@pytest.mark.timeout(60 + 30 * ROUNDS)
@pytest.mark.parametrize("seed", [1])
def test_engines_are_killed(farm: Farm, text: Path, seed: int) -> None:
    """F1: on the map side and on the reduce side."""
    cluster, rc = farm(2, restart_engines=True, restarts_per_minute=1000, engine_hold=0.2)
    chance = random.Random(seed)
    job = linden.MapReduce(slow_words, slow_total, combiner=total, partitions=4)
    for turn in range(ROUNDS):
        running = job.run(rc, linden.TextFiles(text, split_bytes=1500))
        for _ in range(chance.randint(1, 2)):
            wanted = chance.choice([0.1, 0.5, 0.9, 1.1, 1.5, 1.8])
            until(lambda: running.done() or share_done(running) >= wanted)  # noqa: B023
            os.kill(chance.choice(cluster.engine_pids), signal.SIGKILL)
        assert running.get(60).as_dict() == counted(text), f"turn {turn}"
        running.purge()
    assert left_in(rc) == []


@pytest.mark.slow
@pytest.mark.timeout(60 + 30 * ROUNDS)
@pytest.mark.parametrize("seed", [2])
def test_the_server_is_killed(farm: Farm, text: Path, seed: int) -> None:
    """F1."""
    cluster, rc = farm(2, restart_server=False, engine_hold=5.0)
    chance = random.Random(seed)
    job = linden.MapReduce(slow_words, slow_total, combiner=total, partitions=4)
    for turn in range(ROUNDS):
        running = job.run(rc, linden.TextFiles(text, split_bytes=3000))
        wanted = chance.choice([0.0, 0.3, 0.9, 1.0, 1.6])
        until(lambda: running.done() or share_done(running) >= wanted)  # noqa: B023
        os.kill(cluster.server_pid, signal.SIGKILL)
        cluster.restart_server()
        assert running.get(60).as_dict() == counted(text), f"turn {turn}"
        running.purge()
    assert left_in(rc) == []


def share_done(job: linden.MapReduceJob) -> float:
    """From 0 to 2: maps, then reduce tasks."""
    return sum(done / all_ for done, all_ in job.progress.values() if all_)


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_lost_map_outputs_are_made_again(farm: Farm, text: Path, scratch: Path) -> None:
    """All engines die between the two phases, and their runs with them."""
    cluster, rc = farm(2)
    gate = scratch / "gate"
    mapped = scratch / "mapped"

    def noted_words(line: str) -> Iterator[tuple[str, int]]:
        with open(mapped, "a") as notes:
            notes.write(".")
        for word in line.split():
            yield word, 1

    def held_total(_key: Any, values: Iterator[int]) -> int:
        import os
        import time

        while not os.path.exists(gate):
            time.sleep(0.01)
        return sum(values)

    job = linden.MapReduce(noted_words, held_total, partitions=2).run(rc, linden.TextFiles(text, split_bytes=3000))
    until(lambda: job.phase == "reduce")
    lines = mapped.stat().st_size
    for pid in cluster.engine_pids:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not rc.ids)
    linden.run_store.sweep()  # else whoever comes may read them before the next engine that has runs to keep does so
    cluster.start_engines(2)
    # A reduce task has found none.  The progress says so, too, but for a moment only.
    until(lambda: mapped.stat().st_size > lines)
    gate.touch()
    assert job.get(60).as_dict() == counted(text)
    job.purge()


# ---- clients


CLIENT = """
import sys, linden
def slow(line):
    import time
    time.sleep(0.002)
    for word in line.split():
        yield word, 1
rc = linden.Client(sys.argv[1])
job = linden.MapReduce(slow, sum, partitions=3).run(rc, linden.TextFiles(sys.argv[2], split_bytes=1500), name="words")
while job.progress["map"][0] < 2:
    job.wait(0.01)
print("under way", flush=True)
job.wait()
"""


def test_a_client_that_was_killed_is_replaced_by_another(farm: Farm, text: Path) -> None:
    """F1, F3: the job's state is tuples."""
    cluster, rc = farm(2)
    first = subprocess.Popen(
        [sys.executable, "-c", CLIENT, cluster.connection_file, str(text)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "under way\n"
        watcher = linden.MapReduce.attach(rc, "words")  # looks on, and drives once the other is gone
    finally:
        first.kill()
        first.communicate()
    assert watcher.get(60).as_dict() == counted(text)
    again = linden.MapReduce.attach(rc, "words")
    assert again.get(30).as_dict() == counted(text)
    assert again.phase == "done"
    again.purge()
    assert left_in(rc) == []
    with pytest.raises(KeyError, match="no MapReduce job 'words'"):
        linden.MapReduce.attach(rc, "words")


def test_a_job_shows_as_a_tuple(farm: Farm, text: Path) -> None:
    _cluster, rc = farm(2)
    job = linden.MapReduce(words, sum, partitions=3).run(rc, linden.TextFiles(text, split_bytes=3000), name="shown")
    job.get(60)
    (fields,) = rc.space.iterate(job_tuples.job_form("shown"))
    shown = job_tuples.parse_job(fields)
    assert (shown.phase, shown.facts["reduces"], shown.facts["mapper"]) == ("done", 3, "words")
    assert shown.facts["counters"]["map pairs"] == sum(counted(text).values())
    with pytest.raises(ValueError, match="there is a MapReduce job 'shown' already"):
        linden.MapReduce(words, sum).run(rc, [], name="shown")
    job.purge()
    assert left_in(rc) == []


# ---- results


@pytest.mark.parametrize("mapper", [words, native("words")], ids=["python", "native"])
def test_results_equal_sort_and_uniq(farm: Farm, text: Path, mapper: Any) -> None:
    _cluster, rc = farm(2)
    pipe = f"tr -s ' ' '\\n' < {text} | LC_ALL=C sort | uniq -c"
    said = subprocess.run(pipe, shell=True, capture_output=True, text=True, check=True).stdout
    expected = [(word, int(number)) for number, word in (line.split() for line in said.splitlines())]
    with linden.MapReduce(mapper, sum).run(rc, linden.TextFiles(text, split_bytes=2000)) as job:
        assert list(job) == expected


def test_results_come_in_all_forms(farm: Farm, text: Path, scratch: Path) -> None:
    _cluster, rc = farm(2)
    expected = counted(text)
    unsorted = linden.MapReduce(str.split, count, sort=False).run(rc, text.read_text().splitlines())
    assert dict(unsorted) == expected
    space = rc.connection.space("words", create=True)
    assert unsorted.put_tuples(space, "count") == len(expected)
    assert {word: number for _, word, number in space.iterate(("count", str, int))} == expected
    unsorted.purge()

    files = linden.MapReduce(words, sum, partitions=2).run(rc, linden.TextFiles(text), output=scratch / "out")
    lines = [line for path in files.paths for line in Path(path).read_text().splitlines()]
    assert {word: int(number) for word, number in (line.split("\t") for line in lines)} == expected
    with pytest.raises(ValueError, match="writes its results to files"):
        list(files)
    with pytest.raises(ValueError, match="holds results already"):
        linden.MapReduce(words, sum).run(rc, [], output=scratch / "out")
    files.purge()
    assert left_in(rc) == []


def test_tuples_are_input_and_nothing_is_input_too(farm: Farm) -> None:
    _cluster, rc = farm(1)
    rc.space.put_many([("sale", city, amount) for city, amount in [("Bern", 2), ("Rome", 3), ("Bern", 5)]])
    sums = linden.MapReduce(lambda sale: [(sale[1], sale[2])], sum).run(rc, rc.space.iterate(("sale", str, int)))
    assert sums.get(30).as_dict() == {"Bern": 7, "Rome": 3}
    assert linden.MapReduce(words, sum).run(rc, []).get(30).as_dict() == {}


def test_large_results_stay_with_their_engine_and_are_made_again_if_it_dies(farm: Farm) -> None:
    cluster, rc = farm(1, restart_engines=True, restarts_per_minute=1000, engine_hold=0.2)
    job = linden.MapReduce(lambda n: [(n, "x" * 100_000)], lambda _key, values: next(values), partitions=1)
    running = job.run(rc, range(60)).get(60)
    os.kill(cluster.engine_pids[0], signal.SIGKILL)
    until(
        lambda: (ids := rc.ids) and 0 not in ids
    )  # the next one may be there before it is seen that the first has gone
    rc[:].apply_sync(os.getpid)
    linden.run_store.sweep()
    assert {key: len(value) for key, value in running} == dict.fromkeys(range(60), 100_000)
    running.purge()
    rc.purge_everything()
    assert left_in(rc) == []


def test_runs_go_through_the_stores_of_hosts_where_there_are_several(
    farm: Farm, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One host that is told that there are more: what it cannot show is the way over the network (tests of the data path do)."""
    monkeypatch.setattr(linden.MapReduce, "_is_shared", staticmethod(lambda engines: True))
    _cluster, rc = farm(2)
    job = linden.MapReduce(words, total).run(rc, linden.TextFiles(text, split_bytes=3000)).get(60)
    assert job.as_dict() == counted(text)
    job.purge()
    large = linden.MapReduce(lambda n: [(n, "x" * 100_000)], lambda _key, values: next(values), partitions=1)
    running = large.run(rc, range(60)).get(60)
    assert {key: len(value) for key, value in running} == dict.fromkeys(range(60), 100_000)
    running.purge()
    assert left_in(rc) == []
    assert runs_left() == []


def test_counters_and_progress(farm: Farm, text: Path) -> None:
    _cluster, rc = farm(2)

    def mapper(line: str) -> Iterator[tuple[str, int]]:
        increment("lines")
        return words(line)

    job = linden.MapReduce(mapper, total, partitions=3).run(rc, linden.TextFiles(text, split_bytes=3000)).get(60)
    assert job.counters["lines"] == job.counters["map records"] == 400
    assert job.counters["reduce keys"] == len(counted(text))
    assert job.progress["reduce"] == (3, 3)
    job.purge()


LIBRARY = """
#include <linden/mapreduce.h>
#include <algorithm>

using namespace linden::mapreduce;

extern "C" void linden_register_mapreduce(Functions& functions) {
  functions.add_mapper("lengths", [](std::string_view line, Emitter& emit) {
    if (line == "bad") throw std::runtime_error("this line is bad");
    emit(line.size(), 1);
  });
  functions.add_reducer("largest", [](const Datum& key, Values& values, Emitter& emit) {
    std::int64_t largest = 0;
    for (Datum value; values.next(value);) largest = std::max(largest, value.as_int());
    emit(key, largest);
  });
  functions.add_block_mapper("letters", [](const Block& block, PairEmitter& emit) {
    for (std::string_view line : block) {
      for (std::size_t i = 0; i < line.size(); ++i) emit(line.substr(i, 1), 1);
    }
  });
}
"""
# Has the same name for something else.
OTHER = """
#include <linden/mapreduce.h>
extern "C" void linden_register_mapreduce(linden::mapreduce::Functions& functions) {
  functions.add_mapper("lengths", [](std::string_view line, linden::mapreduce::Emitter& emit) { emit(line, line.size()); });
}
"""


@pytest.mark.slow
def test_functions_come_from_a_library_that_needs_nothing_but_one_header(farm: Farm, scratch: Path) -> None:
    library, other = scratch / "liblengths.so", scratch / "libother.so"
    headers = Path(__file__).parents[2] / "api" / "include"
    for path, source in ((library, LIBRARY), (other, OTHER)):
        compile_it = ["g++", "-std=c++20", "-shared", "-fPIC", f"-I{headers}", "-x", "c++", "-", "-o", str(path)]
        subprocess.run(compile_it, input=source, text=True, check=True)
    (scratch / "good.txt").write_text("a\nbb\ncc\n")
    (scratch / "bad.txt").write_text("a\nbad\n")
    _cluster, rc = farm(1)
    lengths = linden.MapReduce(native("lengths", library), sum)
    assert list(lengths.run(rc, linden.TextFiles(scratch / "good.txt"))) == [(1, 1), (2, 2)]
    largest = linden.MapReduce(lambda line: [(line[0], len(line))], native("largest", library))
    assert list(largest.run(rc, linden.TextFiles(scratch / "good.txt"))) == [("a", 1), ("b", 2), ("c", 2)]
    letters = linden.MapReduce(native("letters", library), sum)
    assert list(letters.run(rc, linden.TextFiles(scratch / "good.txt"))) == [("a", 1), ("b", 2), ("c", 2)]
    others = linden.MapReduce(native("lengths", other), sum)
    assert list(others.run(rc, linden.TextFiles(scratch / "good.txt"))) == [("a", 1), ("bb", 2), ("cc", 2)]
    assert list(lengths.run(rc, linden.TextFiles(scratch / "good.txt"))) == [(1, 1), (2, 2)]
    with pytest.raises(RuntimeError, match=r"mapper lengths at byte 2 of .*bad.txt: this line is bad"):
        lengths.run(rc, linden.TextFiles(scratch / "bad.txt")).get(30)
    nowhere = linden.MapReduce(native("lengths", "/nowhere/libnone.so"), sum)
    with pytest.raises(RuntimeError, match=r"cannot load /nowhere/libnone\.so"):
        nowhere.run(rc, linden.TextFiles(scratch / "good.txt")).get(30)


# ---- slow tasks


def test_a_slow_task_gets_a_second_copy(farm: Farm, scratch: Path) -> None:
    """One engine stands still with its task; the other does it, too, long before the lease of the first is over."""
    _cluster, rc = farm(2)
    flag = scratch / "stopped"

    def mapper(n: int) -> list[tuple[str, int]]:
        import os
        import signal

        if n == 7:
            try:
                os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return [("sum", n)]
            flag.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGSTOP)
        return [("sum", n)]

    job = linden.MapReduce(mapper, sum, partitions=1).run(rc, range(8))
    try:
        assert job.get(25).as_dict() == {"sum": 28}
    finally:
        if flag.exists() and flag.read_text():
            os.kill(int(flag.read_text()), signal.SIGCONT)
    job.purge()


# ---- the bad end


def test_a_mapper_that_raises_fails_the_job_and_nothing_is_left(farm: Farm, scratch: Path, text: Path) -> None:
    _cluster, rc = farm(2)
    job = linden.MapReduce(lambda line: [(line, 1 / 0)], total).run(rc, linden.TextFiles(text, split_bytes=3000))
    with pytest.raises(ZeroDivisionError):
        job.get(60)
    assert job.phase == "failed"
    with pytest.raises(ZeroDivisionError):
        list(job)
    with pytest.raises(ZeroDivisionError):  # whoever comes later hears of it, too
        linden.MapReduce.attach(rc, job.name).get(30)
    job.purge()
    assert left_in(rc) == []
    assert runs_left() == []
    assert rc[:].apply_sync(abs, -1) == [1, 1]  # engines live on


def test_a_reducer_that_raises_leaves_neither_runs_nor_files(farm: Farm, scratch: Path, text: Path) -> None:
    _cluster, rc = farm(2)

    def fails_at_one(key: str, values: Iterator[int]) -> int:
        if key == "w7":
            raise LookupError(key)
        return sum(values)

    out = scratch / "out"
    job = linden.MapReduce(words, fails_at_one).run(rc, linden.TextFiles(text, split_bytes=3000), output=out)
    with pytest.raises(LookupError):
        job.get(60)
    assert list(out.iterdir()) == []
    assert runs_left() == []
    job.purge()


def test_an_unsortable_key_is_told_with_its_mapper(farm: Farm) -> None:
    _cluster, rc = farm(1)
    job = linden.MapReduce(lambda n: [({n}, 1)], sum).run(rc, range(3))
    with pytest.raises(TypeError, match=r"mapper <lambda>, record 0: \{0\} of type set cannot be a key"):
        job.get(30)
    job.purge()


def test_a_mapper_that_kills_its_engines_fails_the_job(farm: Farm) -> None:
    _cluster, rc = farm(1, restart_engines=True, restarts_per_minute=1000, engine_hold=0.2)

    def kills(_n: int) -> None:
        import os

        os.kill(os.getpid(), 9)

    job = linden.MapReduce(kills, sum).run(rc, [1])
    with pytest.raises(linden.EngineError, match="each time its engine died"):
        job.get(60)
    job.purge()


def test_a_cancelled_job_leaves_nothing(farm: Farm, text: Path) -> None:
    _cluster, rc = farm(2)
    job = linden.MapReduce(slow_words, total).run(rc, linden.TextFiles(text, split_bytes=1500))
    until(lambda: job.progress["map"][0] >= 1)
    job.cancel()
    assert job.phase == "cancelled"
    with pytest.raises(linden.TaskAborted, match="was cancelled"):
        job.get(10)
    assert runs_left() == []
    job.purge()
    assert left_in(rc) == []


def test_input_that_fails_halfway_leaves_nothing(farm: Farm) -> None:
    _cluster, rc = farm(1)

    def broken() -> Iterator[int]:
        yield from range(3000)
        raise OSError("the source has dried up")

    with pytest.raises(OSError, match="dried up"):
        linden.MapReduce(lambda n: [(n, 1)], sum).run(rc, broken(), name="broken")
    assert left_in(rc) == []


def runs_left() -> list[Path]:
    """Files in the stores of engines."""
    import tempfile

    return [path for folder in Path(tempfile.gettempdir()).glob("linden-runs-*") for path in folder.iterdir()]
