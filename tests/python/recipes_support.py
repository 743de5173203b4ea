"""What tests of recipes share: a server, and clients of it that can be lost without a word."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import linden
import pytest
from linden import Space, recipes

Join = Callable[[], Space]


class Server(Protocol):
    """The fixture of tests/conftest.py."""

    address: str


@pytest.fixture
def join(space_server: Server) -> Iterator[Join]:
    """Makes another client, and gives its space for recipes."""
    connections: list[linden.Connection] = []

    def make() -> Space:
        connections.append(linden.connect(space_server.address, hold=0.2))
        return recipes.open_space(connections[-1])

    yield make
    for connection in connections:
        connection.close()


@pytest.fixture
def space(join: Join) -> Space:
    """The space for recipes, as one client sees it."""
    return join()


def lose(space: Space) -> None:
    """Ends its client as kill -9 would: without a goodbye."""
    space.native.client.close(goodbye=False)


class Call:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._outcome: list[tuple[bool, Any]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._outcome.append((True, self._call()))
        except Exception as error:  # noqa: BLE001  (for whoever asks for the result)
            self._outcome.append((False, error))

    def result(self) -> Any:
        """What it returned or raised."""
        self._thread.join(30)
        assert self._outcome, "the call is still waiting"
        ok, value = self._outcome[0]
        if not ok:
            raise value
        return value


def until_waiting(space: Space, waiters: int) -> None:
    """Returns once so many calls wait in the space."""
    while space.summarize()["waiters"] < waiters:
        pass
