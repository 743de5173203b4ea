"""A vibrating string in parts, one per engine; after each step neighbours exchange the ends of their parts as tuples.

Shows engines that talk to each other: a border is put by one and taken by the other, who waits until it is there.
"""

import linden
import numpy as np


def vibrate(address: str, rank: int, size: int, points: int, steps: int, courant: float) -> np.ndarray:
    """The part of engine `rank` of `size` after so many steps."""
    import linden
    import numpy as np

    first, last = rank * points // size, (rank + 1) * points // size
    x = np.arange(first, last) / (points - 1)
    now = np.sin(2 * np.pi * x) + 0.5 * np.sin(5 * np.pi * x)
    before = now.copy()
    with linden.connect(address) as connection:
        space = connection.space("wave")
        for step in range(steps):
            left, right = exchange(space, rank, size, step, now[0], now[-1])
            padded = np.concatenate(([left], now, [right]))
            after = 2 * now - before + courant**2 * (padded[2:] - 2 * now + padded[:-2])
            if rank == 0:
                after[0] = 0.0  # the ends of the string are fixed
            if rank == size - 1:
                after[-1] = 0.0
            before, now = now, after
    return now


def exchange(space, rank: int, size: int, step: int, first: float, last: float) -> tuple[float, float]:
    """Give both neighbours our border, and take theirs; beyond the ends of the string there is nothing."""
    if rank > 0:
        space.put(("border", step, rank, rank - 1, float(first)))
    if rank < size - 1:
        space.put(("border", step, rank, rank + 1, float(last)))
    left = space.take(("border", step, rank - 1, rank, float), timeout=30)[4] if rank > 0 else 0.0
    right = space.take(("border", step, rank + 1, rank, float), timeout=30)[4] if rank < size - 1 else 0.0
    return left, right


def at_home(points: int, steps: int, courant: float) -> np.ndarray:
    """The same by one process."""
    x = np.arange(points) / (points - 1)
    now = np.sin(2 * np.pi * x) + 0.5 * np.sin(5 * np.pi * x)
    before = now.copy()
    for _ in range(steps):
        padded = np.pad(now, 1)
        after = 2 * now - before + courant**2 * (padded[2:] - 2 * now + padded[:-2])
        after[0] = after[-1] = 0.0
        before, now = now, after
    return now


def main(engines: int = 4, points: int = 401, steps: int = 200, courant: float = 0.9) -> float:
    with linden.start(engines) as rc:
        rc.connection.space("wave", create=True)
        parts = [
            engine.apply_async(vibrate, rc.info.address, rank, engines, points, steps, courant)
            for rank, engine in enumerate(rc)
        ]
        string = np.concatenate([part.get() for part in parts])
    difference = float(abs(string - at_home(points, steps, courant)).max())
    print(f"{steps} steps of {points} points in {engines} parts; largest difference from one process: {difference:.1e}")
    return difference


if __name__ == "__main__":
    main()
