"""What a large graph of tasks costs: 100,000 tasks that wait for others, from the first call to the last result."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import linden

from tests.bench.work import increment


def layers(client: linden.Client, width: int, depth: int) -> float:
    """Tasks a second of `depth` layers, each task after all of the layer before."""
    view = client.load_balanced_view()
    start = time.perf_counter()
    layer: Any = None
    for _ in range(depth):
        with view.temp_flags(after=layer):
            layer = view.map_async(increment, range(width))
    assert layer.get() == list(range(1, width + 1))
    return width * depth / (time.perf_counter() - start)


def chain(client: linden.Client, length: int) -> float:
    """Tasks a second of a row in which each takes the result of the one before."""
    view = client.load_balanced_view()
    start = time.perf_counter()
    result: Any = 0
    for _ in range(length):
        result = view.apply_async(increment, result)
    assert result.get() == length
    return length / (time.perf_counter() - start)


FIGURES: dict[str, Callable[[linden.Client], float]] = {
    "graph_chain_2k": lambda client: chain(client, 2_000),
    "graph_10k": lambda client: layers(client, 100, 100),
    "graph_100k": lambda client: layers(client, 1_000, 100),
}


def samples(wanted: list[str]) -> Iterator[tuple[str, float]]:
    """The figures of `wanted`, with two engines."""
    with linden.start(2) as client:
        for what, figure in FIGURES.items():
            if what in wanted:
                yield what, figure(client)
