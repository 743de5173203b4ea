"""Pi by throwing darts: the engines throw, the client adds up, and stops when it is sure enough.

Shows a DirectView as one uses it interactively: the same call on all engines, again and again, each engine keeping what it has.
"""

import math

import linden


def seed(number: int) -> None:
    """What a function declares global it leaves in the engine's namespace: here a generator of each engine's own."""
    global generator
    import random

    generator = random.Random(number)


def throw(darts: int) -> int:
    """How many of the darts hit the quarter circle; `generator` is the engine's."""
    return sum(generator.random() ** 2 + generator.random() ** 2 < 1 for _ in range(darts))


def main(engines: int = 4, darts: int = 20_000, wanted_error: float = 0.005) -> float:
    with linden.start(engines) as rc:
        view = rc[:]
        for engine in rc:
            engine.apply_sync(seed, engine.targets)
        thrown = hit = 0
        while True:
            hit += sum(view.apply_sync(throw, darts))
            thrown += darts * len(rc)
            pi = 4 * hit / thrown
            error = 4 * math.sqrt(hit / thrown * (1 - hit / thrown) / thrown)
            print(f"{thrown:9,} darts: pi is {pi:.4f} +- {error:.4f}")
            if error < wanted_error:
                return pi


if __name__ == "__main__":
    main()
