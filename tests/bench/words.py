"""``./dev bench --only word_count``: words of generated Zipf text, counted by two workers; MapReduce beside dask.bag and a plain
multiprocessing program.  LINDEN_BENCH_TEXT_BYTES: how much text (default 1 GiB).

Workers are started before the clock.  Each contestant gives its number of words and of different words, which must agree.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

TEXT_BYTES = int(os.environ.get("LINDEN_BENCH_TEXT_BYTES", str(1 << 30)))
WORKERS = 2
FIGURE = "word_count"
UNIT = "MB/s"
_VOCABULARY = 100_000
_LINE_WORDS = 12
_SPLIT = 32 << 20

Counted = tuple[int, int]  # words, different words


def write_text(path: Path, size: int) -> None:
    """Zipf text: the n-th word comes with a probability of 1/n, and frequent words are short."""
    import numpy

    chance = numpy.random.default_rng(5)
    letters = random.Random(5)
    known = set()
    while len(known) < _VOCABULARY:
        known.add("".join(letters.choices("etaoinshrdlucmfwypvbgkqjxz", range(26, 0, -1), k=letters.randint(2, 11))))
    words = sorted(known, key=lambda word: (len(word), word))
    shares = numpy.cumsum(1 / numpy.arange(1, _VOCABULARY + 1))
    with path.open("w") as file:
        while file.tell() < size:
            chosen = numpy.searchsorted(shares, chance.random(100_000 * _LINE_WORDS) * shares[-1])
            picked = [words[index] for index in chosen.tolist()]
            for start in range(0, len(picked), _LINE_WORDS):
                file.write(" ".join(picked[start : start + _LINE_WORDS]))
                file.write("\n")


# ---- contestants: each yields once when it is ready, and then the result -------------------------------------------


def pairs_of(line: str) -> Iterator[tuple[str, int]]:
    for word in line.split():
        yield word, 1


def _linden(path: str, mapper: object, reducer: object) -> Iterator[Counted | None]:
    import linden

    with linden.start(WORKERS) as rc:
        rc.wait_for_engines(WORKERS)
        rc[:].apply_sync(__import__, "linden.mapreduce")
        yield None
        job = linden.MapReduce(mapper, reducer).run(rc, linden.TextFiles(path))  # type: ignore[arg-type]
        counts = job.as_dict()
        yield sum(counts.values()), len(counts)


def linden_pairs(path: str) -> Iterator[Counted | None]:
    return _linden(path, pairs_of, sum)


def linden_keys(path: str) -> Iterator[Counted | None]:
    from linden.mapreduce import count

    return _linden(path, str.split, count)


def linden_native(path: str) -> Iterator[Counted | None]:
    from linden.mapreduce import native

    return _linden(path, native("words"), sum)


def dask_bag(path: str) -> Iterator[Counted | None]:
    from concurrent.futures import ProcessPoolExecutor

    import dask
    import dask.bag

    with ProcessPoolExecutor(WORKERS) as pool, dask.config.set(pool=pool, scheduler="processes"):
        list(pool.map(abs, range(WORKERS)))
        yield None
        lines = dask.bag.read_text(path, blocksize=_SPLIT)
        counts = dict(lines.map(str.split).flatten().frequencies().compute())
        yield sum(counts.values()), len(counts)


def _count_part(path: str, begin: int, end: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    with open(path, "rb") as file:
        if begin > 0:
            file.seek(begin - 1)
            file.readline()
        while file.tell() < end:
            for line in file.readlines(min(1 << 20, end - file.tell())):
                counts.update(line.decode().split())
    return counts


def multiprocessing(path: str) -> Iterator[Counted | None]:
    import multiprocessing

    with multiprocessing.Pool(WORKERS) as pool:
        pool.map(abs, range(WORKERS))
        yield None
        size = os.path.getsize(path)
        parts = [(path, begin, min(begin + _SPLIT, size)) for begin in range(0, size, _SPLIT)]
        counts: Counter[str] = Counter()
        for part in pool.starmap(_count_part, parts, chunksize=1):
            counts.update(part)
        yield counts.total(), len(counts)


CONTESTANTS: dict[str, Callable[[str], Iterator[Counted | None]]] = {
    "linden": linden_pairs,
    "linden, keys alone": linden_keys,
    "linden, C++ mapper": linden_native,
    "dask.bag": dask_bag,
    "multiprocessing": multiprocessing,
}


def measure(rounds: int, note: Callable[[str], None]) -> dict[tuple[str, str, str], list[float]]:
    """MB/s of text by contestant."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    answers = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text"
        write_text(path, TEXT_BYTES)
        size = path.stat().st_size
        for turn in range(1, rounds + 1):
            for who in CONTESTANTS:
                note(f"round {turn} of {rounds}: {FIGURE}, {who}")
                command = [sys.executable, "-m", "tests.bench.words", who, str(path)]
                said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
                seconds, answers[who] = said.split(maxsplit=1)
                found[FIGURE, who, UNIT].append(size / float(seconds) / 1e6)
    if len(set(answers.values())) > 1:
        raise RuntimeError(f"contestants do not agree: {answers}")
    return found


def main() -> None:
    """One contestant: seconds, words, different words."""
    contestant = CONTESTANTS[sys.argv[1]](sys.argv[2])
    next(contestant)
    started = time.perf_counter()
    counted = next(contestant)
    seconds = time.perf_counter() - started
    contestant.close()  # type: ignore[attr-defined]
    assert counted is not None
    print(seconds, *counted)


if __name__ == "__main__":
    main()
