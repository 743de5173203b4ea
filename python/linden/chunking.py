"""How many items of a map travel together when the user says "auto".  Pure.

A chunk costs some 100 us on its way, so cheap items must share one; but large chunks at the end leave engines idle, and a
large chunk of items that turn out slow cannot be divided again.  So:

- start with single items, and let chunks grow only as fast as what has been measured allows (guided by run times);
- then make chunks of about `TARGET_S` of work;
- never more than a fair share of what remains (guided self-scheduling; Polychronopoulos and Kuck 1987), so that
  chunks shrink towards the end and engines finish together; but not below `SMALLEST_S` of work.
"""

from __future__ import annotations

TARGET_S = 0.010
SMALLEST_S = 0.001
GROWTH = 16
SIZE_MAX = 200_000
CHUNKS_PER_ENGINE = 2
# A newer chunk weighs so much against the mean of the older ones.
_WEIGHT = 0.3


class ChunkPlanner:
    """Says how large the next chunk should be, and learns from chunks that have run."""

    def __init__(self, engines: int) -> None:
        self._engines = max(1, engines)
        self._item_s: float | None = None
        self._largest = 0

    @property
    def in_flight_max(self) -> int:
        """How many chunks should be on their way at a time: one runs on each engine, one waits there."""
        return CHUNKS_PER_ENGINE * self._engines

    def observe(self, size: int, seconds: float) -> None:
        """A chunk of `size` items ran for `seconds`."""
        if size < 1:
            return
        item_s = max(seconds, 1e-9) / size
        # A larger chunk says more about the cost of an item than the small ones before it.
        if self._item_s is None or size > 4 * self._largest:
            self._item_s = item_s
        else:
            self._item_s += _WEIGHT * (item_s - self._item_s)
        self._largest = max(self._largest, size)

    def next_size(self, remaining: int) -> int:
        """How many of the `remaining` items the next chunk should have; at least 1."""
        if self._item_s is None:
            return 1
        wanted = TARGET_S / self._item_s
        share = remaining / (CHUNKS_PER_ENGINE * self._engines)
        smallest = SMALLEST_S / self._item_s
        size = max(min(wanted, share), min(wanted, smallest))
        return max(1, min(int(size), GROWTH * self._largest, SIZE_MAX, remaining))


def even_parts(total: int, parts: int) -> list[tuple[int, int]]:
    """`total` items as `parts` contiguous ranges (start, stop) whose sizes differ by one at most, the longer ones first."""
    base, longer = divmod(total, parts)
    ranges = []
    start = 0
    for index in range(parts):
        stop = start + base + (1 if index < longer else 0)
        ranges.append((start, stop))
        start = stop
    return ranges


def fixed_chunks(total: int, size: int) -> list[tuple[int, int]]:
    """`total` items as ranges of `size`, the last one shorter."""
    return [(start, min(start + size, total)) for start in range(0, total, size)]
