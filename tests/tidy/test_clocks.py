"""P39: nothing of a space reads the time of day, so that setting the clock changes nothing.

The log and space-admin show times to people, and a task says when it was given, which people read; nothing comes back from there.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ["api", "space", "python/bindings"]
MAY_SHOW_TIMES = {"space/server/log.cpp", "space/admin", "api/farm"}
TIME_OF_DAY = re.compile(
    r"system_clock|utc_clock|high_resolution_clock|CLOCK_REALTIME|\bgettimeofday\b|\btime\((nullptr|NULL|0)\)|\blocaltime|\bgmtime"
)


def sources() -> list[Path]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in {".cpp", ".h"}]
    return sorted(path for path in found if not any(_is_in(path, place) for place in MAY_SHOW_TIMES))


def _is_in(path: Path, place: str) -> bool:
    return path.relative_to(ROOT).as_posix().startswith(place)


def test_p39_no_source_reads_the_time_of_day() -> None:
    assert len(sources()) > 100
    read = {path.relative_to(ROOT).as_posix(): TIME_OF_DAY.findall(path.read_text()) for path in sources()}
    assert {path: words for path, words in read.items() if words} == {}


def test_p39_the_protocol_knows_durations_and_no_instants() -> None:
    """A field of a message that is a time ends in a unit; none of them is a time of day."""
    fields = [
        name
        for proto in (ROOT / "api/wire/proto").rglob("*.proto")
        for name in re.findall(r"^\s+(?:optional |repeated )?[\w.]+ (\w+) = \d+", proto.read_text(), re.MULTILINE)
    ]
    assert len(fields) > 50
    assert [name for name in fields if re.search(r"timestamp|unix|epoch|(^|_)date(_|$)|_at(_|$)|wall", name)] == []


@pytest.mark.parametrize("line", ["std::chrono::system_clock::now()", "time(nullptr)", "gettimeofday(&t, nullptr)"])
def test_the_time_of_day_is_recognised(line: str) -> None:
    assert TIME_OF_DAY.search(line)
