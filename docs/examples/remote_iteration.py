"""A generator lives on an engine, and a loop here runs over what it yields.

Shows references: names that mean something on the engine only.  Items come in batches, the next of which is on its way while
this one is used; the generator is never further ahead than that.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import linden


def take(generator: Iterator[Any], count: int) -> list[Any]:
    """Runs on the engine."""
    return list(islice(generator, count))


def remote_iterator(view: linden.DirectView, name: str, batch: int = 100) -> Iterator[Any]:
    """What the iterator `name` in the engine's namespace yields, until it ends."""
    coming = view.apply_async(take, linden.Reference(name), batch)
    while items := coming.get():
        coming = view.apply_async(take, linden.Reference(name), batch)
        yield from items


PRIMES = """
def primes():
    found = []
    number = 2
    while True:
        if all(number % prime for prime in found if prime * prime <= number):
            found.append(number)
            yield number
        number += 1

numbers = primes()
small = iter(range(5))
"""


def main() -> tuple[list[int], int]:
    with linden.start(1) as rc:
        engine = rc[0]
        engine.execute(PRIMES, block=True)
        first = list(islice(remote_iterator(engine, "numbers", batch=10), 12))
        print("the first primes:", *first)
        total = sum(remote_iterator(engine, "small", batch=2))  # one that ends
        print("a sum over another:", total)
    return first, total


if __name__ == "__main__":
    main()
