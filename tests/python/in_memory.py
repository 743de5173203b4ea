"""Views over a farm in memory, and functions for its engines; test modules import the fixtures."""

import pytest
from fake_native import FakeFarm
from linden.direct_view import DirectView
from linden.load_balanced_view import LoadBalancedView


@pytest.fixture
def fake() -> FakeFarm:
    return FakeFarm()


@pytest.fixture
def view(fake: FakeFarm) -> LoadBalancedView:
    return LoadBalancedView(fake)  # type: ignore[arg-type]


@pytest.fixture
def direct(fake: FakeFarm) -> DirectView:
    return DirectView(fake, "all")


def double(x: int) -> int:
    return 2 * x


def reciprocal(x: int) -> float:
    return 1 / x
