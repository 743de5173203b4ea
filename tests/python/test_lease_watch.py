"""P18: whoever holds a tuple is told when its lease is about to end because the server is away."""

import logging
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from linden.lease_watch import LeaseWatch


@pytest.fixture
def client() -> SimpleNamespace:
    return SimpleNamespace(connected=True, failure=None, address="unix:/s")


@pytest.fixture
def watch(client: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> LeaseWatch:
    """One whose thread does not look by itself."""
    monkeypatch.setattr(threading.Thread, "start", lambda _thread: None)
    monkeypatch.setattr("time.monotonic", lambda: 100.0)
    return LeaseWatch(client)  # type: ignore[arg-type]


def handout(id: int, *fields: Any) -> Any:
    return SimpleNamespace(id=id, attempt=2, fields=fields)


def test_p18_it_warns_once_in_the_last_third(
    watch: LeaseWatch, client: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    watch.hold("jobs", handout(7, "task", 17), 30.0)
    client.connected = False
    watch.look(119.0)
    assert caplog.records == []
    watch.look(120.0)
    watch.look(125.0)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("linden.leases", logging.WARNING)
    message = record.getMessage()
    assert "the server at unix:/s has not been reached for 20.0 s" in message
    assert "tuple 7, attempt 2, of space 'jobs': ('task', 17)" in message


def test_p18_a_server_that_came_back_is_a_new_absence(
    watch: LeaseWatch, client: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    watch.hold("jobs", handout(7), 30.0)
    client.connected = False
    watch.look(120.0)
    client.connected = True
    watch.look(130.0)
    client.connected = False
    watch.look(149.0)
    assert len(caplog.records) == 1
    watch.look(150.0)
    assert len(caplog.records) == 2


def test_p18_the_shortest_lease_counts_and_a_few_are_named(
    watch: LeaseWatch, client: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    for id in range(5):
        watch.hold("jobs", handout(id, "x" * 1000), 60.0)
    watch.hold("jobs", handout(9), 3.0)
    client.connected = False
    watch.look(102.0)
    (record,) = caplog.records
    assert record.getMessage().index("tuple 9,") < record.getMessage().index("tuple 0,")
    assert record.getMessage().endswith("; and 3 more")
    assert len(record.getMessage()) < 1000


def test_p18_what_is_over_is_not_warned_of(
    watch: LeaseWatch, client: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    watch.hold("jobs", handout(7), 3.0)
    watch.hold("jobs", handout(8), 30.0)
    watch.let_go("jobs", 7, 2)
    client.connected = False
    watch.look(119.0)
    watch.let_go("jobs", 8, 2)
    watch.look(200.0)
    assert caplog.records == []


def test_p18_a_session_that_has_ended_says_so_itself(
    watch: LeaseWatch, client: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    watch.hold("jobs", handout(7), 3.0)
    client.connected = False
    client.failure = "expired"
    watch.look(200.0)
    assert caplog.records == []
