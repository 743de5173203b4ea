"""Makes fake_native importable, and leaves no resolver of references behind."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from linden import reference

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def no_resolver_left() -> Iterator[None]:
    yield
    reference.set_resolver(None)
