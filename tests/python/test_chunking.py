"""Chunks of automatic size: cheap items share one, slow ones travel alone, engines finish together."""

from collections import deque

import pytest
from linden.chunking import GROWTH, SMALLEST_S, TARGET_S, ChunkPlanner, even_parts, fixed_chunks


def simulate(costs: list[float], engines: int, overhead: float = 0.0002) -> tuple[float, list[int]]:
    """Run a map in virtual time; when the last engine is done, and the sizes of all chunks."""
    planner = ChunkPlanner(engines)
    free_at = [0.0] * engines
    running: deque[tuple[float, int, float]] = deque()
    sizes: list[int] = []
    position = 0
    now = 0.0
    while position < len(costs) or running:
        while position < len(costs) and len(running) < planner.in_flight_max:
            size = planner.next_size(len(costs) - position)
            engine = free_at.index(min(free_at))
            work = sum(costs[position : position + size])
            free_at[engine] = max(free_at[engine], now) + work + overhead
            running.append((free_at[engine], size, work))
            sizes.append(size)
            position += size
        done = min(running)
        running.remove(done)
        now = done[0]
        planner.observe(done[1], done[2])
    return now, sizes


def test_starts_with_single_items() -> None:
    assert ChunkPlanner(4).next_size(1_000_000) == 1


def test_cheap_items_travel_by_the_thousand() -> None:
    _, sizes = simulate([1e-7] * 50_000, engines=4)
    assert max(sizes) > 2000
    assert len(sizes) < 60


def test_slow_items_travel_alone() -> None:
    _, sizes = simulate([1.0] * 20, engines=4)
    assert set(sizes) == {1}


def test_a_chunk_takes_about_the_target_time() -> None:
    _, sizes = simulate([0.0005] * 20_000, engines=2)
    middle = sizes[len(sizes) // 2]
    assert 0.5 * TARGET_S <= middle * 0.0005 <= 1.5 * TARGET_S


def test_chunks_shrink_towards_the_end_but_not_to_crumbs() -> None:
    _, sizes = simulate([0.00001] * 10_000, engines=2)
    assert sizes[-2] < max(sizes)
    assert min(sizes[len(sizes) // 2 : -1]) * 0.00001 >= 0.9 * SMALLEST_S


@pytest.mark.parametrize("engines", [1, 2, 8])
def test_uneven_items_leave_no_engine_idle_for_long(engines: int) -> None:
    costs = [0.02 if index % 50 == 0 else 0.0002 for index in range(4000)]
    end, _ = simulate(costs, engines)
    assert end < 1.35 * sum(costs) / engines + 0.02


def test_growth_is_bounded_by_what_was_measured() -> None:
    planner = ChunkPlanner(1)
    planner.observe(1, 1e-9)  # so short that the clock may have lied
    assert planner.next_size(1_000_000) == GROWTH


def test_items_that_become_slow_shrink_the_chunks() -> None:
    planner = ChunkPlanner(1)
    for _ in range(5):
        planner.observe(1000, 0.001)
    before = planner.next_size(1_000_000)
    for _ in range(20):
        planner.observe(100, 1.0)
    assert planner.next_size(1_000_000) < before / 10


@pytest.mark.parametrize(("total", "parts"), [(10, 3), (3, 5), (0, 2), (16, 4)])
def test_even_parts_cover_everything_in_order(total: int, parts: int) -> None:
    ranges = even_parts(total, parts)
    assert [index for start, stop in ranges for index in range(start, stop)] == list(range(total))
    sizes = [stop - start for start, stop in ranges]
    assert len(sizes) == parts
    assert max(sizes) - min(sizes) <= 1
    assert sizes == sorted(sizes, reverse=True)


def test_fixed_chunks_cover_everything_in_order() -> None:
    assert fixed_chunks(7, 3) == [(0, 3), (3, 6), (6, 7)]
    assert fixed_chunks(0, 3) == []
