"""A server, a client and a space for every test of space-admin."""

from collections.abc import Iterator
from typing import Any

import pytest
from linden import _native

from tests.space.admin.harness import Admin


@pytest.fixture
def client(space_server: Any) -> Iterator[_native.Client]:
    client = _native.Client.connect(space_server.address, name="test \x1b[31m", timeout=20)
    yield client
    client.close()


@pytest.fixture
def space(client: _native.Client) -> _native.Space:
    return client.open_space("test", create=True, durability="memory")


@pytest.fixture
def admin(space_server: Any, space: _native.Space) -> Admin:
    return Admin(space_server.address)
