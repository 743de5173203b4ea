"""Statistics of a random matrix, block by block: a graph of tasks that wait for each other, handed over at once.

Shows `follow` (a block is made on some engine, stays there, and whatever needs it goes there), results as arguments (a tree of sums),
and `after` (tidying up once everything has been used).  After the last line of `submit` nothing depends on this program any more.
"""

from __future__ import annotations

import linden


def make_block(number: int, size: int) -> None:
    """A block of the matrix, in the namespace of whichever engine does this."""
    import random

    global blocks
    generator = random.Random(number)
    blocks = {**globals().get("blocks", {}), number: [generator.gauss(0, 1) for _ in range(size)]}


def sum_block(number: int) -> tuple[int, float, float]:
    """Count, sum and sum of squares of a block that this engine has."""
    block = blocks[number]
    return len(block), sum(block), sum(value * value for value in block)


def add(one: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, ...]:
    """Of two parts those of the whole."""
    return tuple(a + b for a, b in zip(one, other, strict=True))


def drop_block(number: int) -> int:
    """Forget a block; where it was."""
    import os

    del blocks[number]
    return os.getpid()


def submit(
    view: linden.LoadBalancedView, blocks: int, size: int
) -> tuple[linden.AsyncResult, list[linden.AsyncResult]]:
    """The whole graph; its last result, and those of tidying up."""
    made = [view.apply_async(make_block, number, size) for number in range(blocks)]
    sums = []
    for number, block in enumerate(made):
        with view.temp_flags(follow=block):
            sums.append(view.apply_async(sum_block, number))
    level = sums
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [view.apply_async(add, one, other) for one, other in pairs] + level[len(level) // 2 * 2 :]
    dropped = []
    for number, block in enumerate(made):
        with view.temp_flags(after=level[0], follow=block):
            dropped.append(view.apply_async(drop_block, number))
    return level[0], dropped


def main(engines: int = 2, blocks: int = 12, size: int = 2_000) -> tuple[float, float, bool]:
    with linden.start(engines) as rc:
        total, dropped = submit(rc.load_balanced_view(), blocks, size)
        count, first, second = total.get()
        mean = first / count
        deviation = (second / count - mean * mean) ** 0.5
        for result in dropped:
            result.get()
        is_tidy = not any(any(names) for names in rc[:].get(["blocks"]) if names)
        in_order = min(result.started for result in dropped) >= total.completed
        print(f"{count} values: mean {mean:+.4f}, standard deviation {deviation:.4f}")
        print(
            f"blocks were dropped on {len({result.engine_id for result in dropped})} engines, after the sum: {in_order}"
        )
    return mean, deviation, in_order and is_tidy


if __name__ == "__main__":
    main()
