"""Words of many files, counted by engines: each counts some files, the client adds up what comes as it comes.

Shows an unordered map with chunks of automatic size.  Usage: python word_count.py [DIRECTORY [PATTERN]]
"""

import sys
import sysconfig
from collections import Counter
from pathlib import Path

import linden


def count_words(path: Path) -> Counter[str]:
    """How often each word is in the file."""
    import re

    return Counter(re.findall(r"[a-z]+", path.read_text(encoding="utf-8", errors="replace").lower()))


def main(directory: str = sysconfig.get_path("stdlib"), pattern: str = "*.py", engines: int = 4) -> Counter[str]:
    paths = sorted(Path(directory).glob(pattern))
    total: Counter[str] = Counter()
    with linden.start(engines) as rc:
        counts = rc.load_balanced_view().map_async(count_words, paths, chunksize="auto", ordered=False)
        for count in counts:
            total += count
        print(f"{len(paths)} files, {total.total():,} words, {len(total):,} different ones")
        print(f"{counts.serial_time:.2f} s of work in {counts.wall_time:.2f} s")
    for word, times in total.most_common(5):
        print(f"{times:8,} {word}")
    return total


if __name__ == "__main__":
    main(*sys.argv[1:])
