"""What map and reduce tasks do, run here without a farm."""

import operator
import os
import random
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from linden import _shuffle, run_store
from linden.mapreduce import MapReduce, count, increment, native
from linden.mapreduce_source import RecordsSpec, TextFiles, splits_of

from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A store of runs in a directory of the test's own."""
    monkeypatch.setattr(run_store.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(run_store, "store", run_store.RunStore())
    yield tmp_path
    for folder in tmp_path.glob("linden-runs-*"):
        assert not list(folder.iterdir()), "a task has left a file"


def run(job: MapReduce, source: Any, partitions: int = 3, engines: int = 2, directory: str | None = None) -> Any:
    """The pairs of a job by partition, and the values of its tasks."""
    map_task, reduce_task = job._tasks(partitions, 1, directory)
    values = [map_task("job", split) for split in splits_of(source, engines)]
    outputs = [(i, 1, value["run"]) for i, value in enumerate(values) if value["run"]]
    reduced = [reduce_task("job", partition, outputs) for partition in range(partitions)]
    pairs = []
    for value in reduced:
        if directory is None:
            data = value["data"] if value["data"] is not None else run_store.fetch(value["run"])
            pairs.append(_shuffle.merge([data], 0).next_pairs(10**9))
    for value in [*values, *reduced]:
        if value["run"]:
            run_store.drop(value["run"])
    return pairs, values, reduced


def results(job: MapReduce, source: Any, **options: Any) -> dict[Any, Any]:
    pairs, _, _ = run(job, source, **options)
    found = {}
    for part in pairs:
        for key, value in part:
            assert key not in found
            found[key] = value
    return found


def words(line: str) -> Iterator[tuple[str, int]]:
    for word in line.split():
        yield word, 1


def total(_key: Any, values: Iterator[int]) -> int:
    return sum(values)


LINES = ["to be or not to be", "", "that is the question", "to be"] * 50
WANTED = dict(Counter(" ".join(LINES).split()))


@pytest.mark.parametrize(
    "job",
    [
        MapReduce(str.split, count),
        MapReduce(words, sum),
        MapReduce(words, operator.add),
        MapReduce(words, total),
        MapReduce(words, total, combiner=total),
        MapReduce(words, total, combiner=sum),
        MapReduce(words, sum, combiner=total),
        MapReduce(str.split, count, combiner=total),
        MapReduce(lambda line: [(word, 1) for word in line.split()], total),
    ],
    ids=["count", "sum", "add", "python", "python-combiner", "sum-combiner", "mixed", "count-combiner", "list"],
)
def test_words_are_counted(job: MapReduce) -> None:
    assert results(job, LINES) == WANTED


@pytest.mark.parametrize("mapper", [words, native("words")], ids=["python", "native"])
@pytest.mark.parametrize("split_bytes", [1, 7, 100, 10**6])
def test_words_of_files_are_counted_however_they_are_split(tmp_path: Path, mapper: Any, split_bytes: int) -> None:
    (tmp_path / "a.txt").write_text("\n".join(LINES[:20]))
    (tmp_path / "b.txt").write_text("\r\n".join(LINES[20:40]) + "\r\n")
    (tmp_path / "empty.txt").write_text("")
    files = TextFiles(tmp_path / "*.txt", split_bytes=split_bytes)
    assert results(MapReduce(mapper, sum), files) == dict(Counter(" ".join(LINES[:40]).split()))


def test_words_of_bytes_are_bytes(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes("caf\xe9 tea caf\xe9".encode("latin-1"))
    files = TextFiles(tmp_path / "latin", encoding=None)
    wanted = {b"caf\xe9": 2, b"tea": 1}
    assert results(MapReduce(bytes.split, count), files) == wanted
    assert results(MapReduce(native("words"), sum), files) == wanted


def test_a_mapper_in_cpp_says_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes("caf\xe9 tea".encode("latin-1"))
    with pytest.raises(RuntimeError, match=r"'caf\\xe9' is no UTF-8"):
        results(MapReduce(native("words"), sum), TextFiles(tmp_path / "latin"))
    with pytest.raises(ValueError, match="the mapper words is in C\\+\\+, which reads UTF-8 or bytes, not latin-1"):
        results(MapReduce(native("words"), sum), TextFiles(tmp_path / "latin", encoding="latin-1"))


def test_one_record_may_yield_more_than_memory_holds() -> None:
    """The bound of memory is held within a record, too."""

    def many(n: int) -> Iterator[tuple[int, int]]:
        return ((key, n) for key in range(200_000))

    for reducer in (sum, total):
        pairs, values, _ = run(MapReduce(many, reducer, memory=1 << 20), [1, 2], engines=1)
        assert sum(value["spills"] for value in values) >= 4
        assert sum(len(part) for part in pairs) == 200_000
        assert all(number == 3 for part in pairs for _, number in part)


def test_smallest_and_largest() -> None:
    records = [("a", 3), ("b", -1.5), ("a", 2), ("b", 7)]
    assert results(MapReduce(lambda r: [r], min), records) == {"a": 2, "b": -1.5}
    assert results(MapReduce(lambda r: [r], max), records) == {"a": 3, "b": 7}


KEYS = [
    None,
    False,
    True,
    -(2**63),
    -1,
    0,
    2**63 - 1,
    -1.5,
    0.5,
    "",
    "a\0b",
    "z",
    "ä",
    b"",
    b"\x00\xff",
    (),
    (1, "a"),
    (1, ("b", None)),
]


def test_keys_of_all_types_come_back_and_keep_apart() -> None:
    """P2: no coercion; keys are equal if type and value are."""
    shuffled = KEYS * 2
    random.Random(3).shuffle(shuffled)
    pairs, _, _ = run(MapReduce(lambda key: [(key, 1)], sum), shuffled)
    found = [(key, type(key), value) for part in pairs for key, value in part]
    assert sorted(map(repr, found)) == sorted(repr((key, type(key), 2)) for key in KEYS)


def test_encoded_keys_are_in_the_order_of_keys() -> None:
    assert sorted(KEYS, key=_shuffle.encode_key) == KEYS
    rows = [(a, b) for a in ("", "a", "a\0", "ab") for b in (-1, 2, 300)]
    assert sorted(rows, key=_shuffle.encode_key) == sorted(rows)


def test_values_of_all_types_come_back_in_the_order_in_which_they_came() -> None:
    values = [None, True, 2**63, 2**100, -1, 1.5, "text", "\ud800", b"raw", (1, [2, {"a": 3}]), {4}, [None, "x"]]
    job = MapReduce(lambda value: [("key", value)], lambda _key, all_values: list(all_values))
    assert results(job, values) == {"key": values}


def test_a_reducer_that_yields_gives_pairs_of_its_own() -> None:
    def by_length(key: str, values: Iterator[int]) -> Iterator[tuple[int, str]]:
        yield len(key), key
        yield -len(key), key

    pairs, _, _ = run(MapReduce(words, by_length), ["bb a ccc"], partitions=1)
    assert pairs == [[(-3, "ccc"), (-2, "bb"), (-1, "a"), (1, "a"), (2, "bb"), (3, "ccc")]]


def test_a_reducer_need_not_look_at_all_values() -> None:
    job = MapReduce(lambda n: [(n % 2, n)], lambda _key, values: next(values))
    assert results(job, range(100_000), engines=1) == {0: 0, 1: 1}


def test_a_native_reducer_hands_on_what_it_gets() -> None:
    pairs, _, _ = run(MapReduce(lambda n: [("k", n)], native("pairs")), [3, 1, 2], partitions=1, engines=1)
    assert [value for _, value in pairs[0]] == [3, 1, 2]


def test_counters_are_those_of_the_task() -> None:
    def mapper(line: str) -> Iterator[tuple[str, int]]:
        if not line:
            increment("empty lines")
        yield from words(line)

    _, values, reduced = run(MapReduce(mapper, total), ["a", "", ""], engines=1)
    assert sum(value["counters"].get("empty lines", 0) for value in values) == 2
    assert all(not value["counters"] for value in reduced)
    assert sum(value["records"] for value in values) == 3


def test_results_go_to_files_of_text(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    _, _, reduced = run(MapReduce(words, sum), ["b a", "b"], partitions=2, directory=str(out))
    lines = sorted(line for value in reduced for line in Path(value["path"]).read_text().splitlines())
    assert lines == ["a\t1", "b\t2"]
    assert sorted(os.listdir(out)) == ["part-00000.txt", "part-00001.txt"]


# ---- bounded memory


def limited(job: Callable[[], Any], extra_bytes: int) -> int:
    """Run `job` in a copy of this process whose memory may grow by so much; its exit code."""
    pid = os.fork()
    if pid == 0:
        try:
            data = next(
                line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData")
            )
            limit = int(data.split()[1]) * 1024 + extra_bytes
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
            job()
            os._exit(0)
        except MemoryError:
            os._exit(7)
        except BaseException:  # noqa: BLE001
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def sort_80_mb(memory: int) -> None:
    def mapper(n: int) -> Iterator[tuple[int, str]]:
        for i in range(1000):
            yield (n * 7919 + i * 104_729) % 1_000_003, "x" * 1000

    map_task, reduce_task = MapReduce(mapper, lambda _key, values: sum(map(len, values)), memory=memory)._tasks(
        1, 1, None
    )
    value = map_task("job", RecordsSpec(range(80)))
    assert value["pairs"] == 80_000
    assert value["bytes"] > 80_000_000
    reduced = reduce_task("job", 0, [(0, 1, value["run"])])
    run_store.drop(value["run"])
    if reduced["run"]:
        run_store.drop(reduced["run"])
    assert memory > 80_000_000 or value["spills"] >= 9


def in_new_process(memory: int) -> int:
    """This process may have memory left that other tests have given back."""
    code = f"import sys; from {__name__} import *; sys.exit(limited(lambda: sort_80_mb({memory}), 32 << 20))"
    environment = {**os.environ, "TMPDIR": str(run_store.tempfile.tempdir)}
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, timeout=100, check=False).returncode


def test_a_job_ten_times_larger_than_its_memory_stays_within_it() -> None:
    """The kernel refuses memory beyond the limit; the same job with all memory it likes is refused."""
    assert in_new_process(8 << 20) == 0
    assert in_new_process(1 << 30) != 0


# ---- bad input


@pytest.mark.parametrize(
    ("mapper", "error", "words_of_it"),
    [
        (lambda _: [([1], 1)], TypeError, "mapper <lambda>, record 'x': [1] of type list cannot be a key"),
        (lambda _: [({}, 1)], TypeError, "{} of type dict cannot be a key"),
        (lambda _: [((1, [2]), 1)], TypeError, "(1, [2]) of type tuple cannot be a key"),
        (lambda _: [(float("nan"), 1)], TypeError, "NaN cannot be a key"),
        (lambda _: [(1j, 1)], TypeError, "1j of type complex cannot be a key"),
        (lambda _: [(2**64, 1)], TypeError, "cannot be a key"),
        (lambda _: [("\ud800", 1)], TypeError, "surrogates"),
        (lambda _: None, TypeError, "returned None of type NoneType; wanted is an iterable of (key, value) pairs"),
        (lambda _: "text", TypeError, "returned a str, 'text'"),
        (lambda _: ["key"], TypeError, "yielded 'key' of type str; wanted is a (key, value) tuple"),
        (lambda _: [("a", "b")], TypeError, "the value 'b' of type str of key 'a' cannot be combined"),
        (lambda _: [("a", 2**63 - 1), ("a", 1)], RuntimeError, "the sum of key 'a' is beyond 64 bits"),
    ],
)
def test_bad_pairs_are_told_with_key_and_mapper(mapper: Any, error: type[Exception], words_of_it: str) -> None:
    with pytest.raises(error) as caught:
        run(MapReduce(mapper, sum), ["x"])
    assert words_of_it in str(caught.value)


def test_what_a_mapper_raises_says_where(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1\n2\nthree\n")
    with pytest.raises(ValueError, match="invalid literal") as caught:
        run(MapReduce(lambda line: [(int(line), 1)], sum), TextFiles(tmp_path / "a.txt"))
    assert caught.value.__notes__ == [f"in mapper <lambda>, at the record at byte 4 of {tmp_path}/a.txt"]


def test_what_a_reducer_raises_says_at_which_key() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        run(MapReduce(words, lambda _key, values: 1 / 0), ["x"])
    assert caught.value.__notes__ == ["in reducer <lambda>, at key 'x'"]
    run_store.drop_group("job-map")  # as a driver would


def test_text_of_another_encoding_says_where(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"fine\n\xff\xfe\n")
    with pytest.raises(ValueError, match=r"the record at byte 5 of .*a.txt is not utf-8"):
        run(MapReduce(words, sum), TextFiles(tmp_path / "a.txt"))
    assert results(MapReduce(words, sum), TextFiles(tmp_path / "a.txt", encoding="latin-1")) == {"fine": 1, "ÿþ": 1}
    assert results(MapReduce(lambda r: [(r, 1)], sum), TextFiles(tmp_path / "a.txt", encoding=None)) == {
        b"fine": 1,
        b"\xff\xfe": 1,
    }


def test_a_record_that_is_longer_than_memory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a\n" + "x" * (2 << 20) + "\n")
    with pytest.raises(RuntimeError, match=r"the record at byte 2 of .* is longer than 1048576 bytes"):
        run(MapReduce(words, sum, memory=1 << 20), TextFiles(tmp_path / "a.txt"))


def test_a_file_that_vanishes_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a\n")
    files = TextFiles(tmp_path / "a.txt")
    splits = files.splits(1)
    (tmp_path / "a.txt").unlink()
    map_task, _ = MapReduce(words, sum)._tasks(1, 1, None)
    with pytest.raises(RuntimeError, match=r"cannot read .*a.txt: No such file or directory"):
        map_task("job", splits[0])


def test_a_partition_that_gets_all_keys_is_reduced() -> None:
    assert results(MapReduce(lambda n: [("all", n)], sum), range(1000), partitions=5) == {"all": sum(range(1000))}


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: MapReduce(3, sum), TypeError, "the mapper must be callable"),
        (lambda: MapReduce(words, None), TypeError, "the reducer must be callable"),
        (lambda: MapReduce(words, sum, partitions=0), ValueError, "partitions must be None or"),
        (lambda: MapReduce(words, sum, memory=100), ValueError, "memory must be"),
        (lambda: MapReduce(words, sum, combiner=words), TypeError, "the combiner words yields"),
        (lambda: TextFiles("/nowhere/*.txt"), FileNotFoundError, "none fits it as a pattern"),
        (lambda: TextFiles([]), FileNotFoundError, "no files are given"),
        (lambda: TextFiles("/tmp"), IsADirectoryError, "say which files of it"),
        (lambda: TextFiles("/etc/hosts", split_bytes=0), ValueError, "split_bytes"),
        (lambda: TextFiles("/etc/hosts", encoding="utf-16"), ValueError, "cannot be split at bytes"),
        (lambda: TextFiles("/etc/hosts", delimiter=b"ab"), ValueError, "delimiter must be one byte"),
        (lambda: list(splits_of("a.txt", 1)), TypeError, "is a path, or a text"),
        (lambda: list(splits_of(3, 1)), TypeError, "an iterable of records, not a int"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make: Callable[[], Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        make()


def test_a_native_function_that_is_not_there_is_named() -> None:
    with pytest.raises(LookupError, match="there is no reducer nothing"):
        run(MapReduce(words, native("nothing")), ["x"])
    run_store.drop_group("job-map")  # as a driver would


# ---- the store


def test_a_store_is_swept_when_its_process_has_gone(store: Path) -> None:
    pid = os.fork()
    if pid == 0:
        run_store.RunStore().write("group", lambda descriptor: os.write(descriptor, b"run"))
        os._exit(0)
    os.waitpid(pid, 0)
    (left,) = store.glob("linden-runs-*")
    assert list(left.iterdir())
    mine = run_store.store.write("group", lambda descriptor: os.write(descriptor, b"mine"))
    assert not left.exists()
    run_store.sweep()
    assert bytes(run_store.fetch(mine)) == b"mine"  # a store whose process lives is left alone
    run_store.drop(mine)
    with pytest.raises(run_store.RunLost, match="is gone with its engine"):
        run_store.fetch(mine)


def test_runs_that_are_read_are_not_open() -> None:
    """However many map tasks there are, open files do not run out; and if they do, that is not taken for a run that is lost."""
    ref = run_store.store.write("group", lambda descriptor: os.write(descriptor, b"run"))
    before = len(os.listdir("/proc/self/fd"))
    runs = [run_store.fetch(ref) for _ in range(50)]
    assert [bytes(view) for view in runs] == [b"run"] * 50
    assert len(os.listdir("/proc/self/fd")) == before
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            run_store.fetch(ref)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with pytest.raises(run_store.RunLost, match="has 3 bytes, and not the 4 that it had"):
        run_store.fetch([*ref[:2], 4])
    run_store.drop(ref)


def test_values_of_main_go_by_value() -> None:
    """A class that the client has defined in its __main__ is none of the engine's."""

    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

    Point.__module__, Point.__qualname__ = "__main__", "Point"
    pairs, _, _ = run(MapReduce(lambda n: [("a", Point(n))], lambda _key, values: sum(p.x for p in values)), [1, 2, 3])
    assert [pair for part in pairs for pair in part] == [("a", 6)]


def test_a_run_of_another_host_is_lost() -> None:
    with pytest.raises(run_store.RunLost, match="is on elsewhere"):
        run_store.fetch(["elsewhere", "/tmp/x", 1])


def test_runs_of_an_engine_with_another_tmpdir_go_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = [
        run_store.store.write(group, lambda descriptor: os.write(descriptor, b"run"))
        for group in ("a-map", "a-map", "b-map")
    ]
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(run_store.tempfile, "tempdir", str(tmp_path / "other"))
    run_store.drop(refs[0])
    folders = run_store.folders_of(refs[1:])
    assert folders == {str(tmp_path), str(tmp_path / "other")}
    run_store.drop_group("a-map", folders)
    assert [os.path.exists(path) for _, path, _ in refs] == [False, False, True]
    run_store.drop(refs[2])


def test_nothing_is_dropped_that_is_no_run(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("x")
    run_store.drop([os.uname().nodename, str(precious), 1])
    assert precious.exists()
