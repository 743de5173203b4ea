"""Reaching a server of which several addresses are known: which of them can be reached from here, and why not the others.

A login node has an address per network, and nobody can say beforehand which of them a compute node sees.  So all are tried at
once, the first that answers is taken, and the error names every one that failed with its reason.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from .errors import LindenError, Unreachable

if TYPE_CHECKING:
    from queue import SimpleQueue

Connected = TypeVar("Connected")

# One that drops packets says nothing; longer than this it is not waited for in one round.
_PROBE_S = 2.0
_PAUSE_S = 0.2
# And so much longer for the look-up of its name, which has no time limit of its own.
_LOOK_UP_S = 1.0


def connect_to_any(
    addresses: Sequence[str], connect: Callable[[str, float], Connected], timeout: float
) -> tuple[Connected, str]:
    """What ``connect(address, seconds)`` gives for the first address that answers, and that address.

    Raises: Unreachable: none does within `timeout`; the message has the reason of each. Whatever `connect` raises, if there is
        only one address.
    """
    if len(addresses) == 1:
        return connect(addresses[0], timeout), addresses[0]
    deadline = time.monotonic() + timeout
    while True:
        reasons: dict[str, str | None] = dict.fromkeys(addresses)
        for address, reason in _answers(addresses, min(_PROBE_S, max(0.1, deadline - time.monotonic()))):
            reasons[address] = reason
            if reason is None:
                try:
                    return connect(address, max(0.1, deadline - time.monotonic())), address
                except LindenError as error:  # something listens there, which is not our server
                    reasons[address] = str(error)
        if time.monotonic() + _PAUSE_S >= deadline:
            raise Unreachable(
                f"none of the server's {len(addresses)} addresses can be reached from {os.uname().nodename} "
                f"within {timeout:g} s:\n{describe(reasons)}"
            )
        time.sleep(_PAUSE_S)


def probe(addresses: Sequence[str], timeout: float = _PROBE_S) -> dict[str, str | None]:
    """For each address None if something listens there, else why it cannot be reached; all are tried at once."""
    return dict.fromkeys(addresses) | dict(_answers(addresses, timeout))


def _answers(addresses: Sequence[str], timeout: float) -> Iterator[tuple[str, str | None]]:
    """As `probe`, each address as soon as something is known of it."""
    import queue  # an engine on the server's host starts quicker without these
    import threading

    known: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
    silent = dict.fromkeys(addresses)
    for address in silent:
        # A daemon, for nobody waits for a name server that does not answer.
        name = f"linden-probe {address}"
        threading.Thread(target=_find_out, args=(address, timeout, known), name=name, daemon=True).start()
    deadline = time.monotonic() + timeout + _LOOK_UP_S
    while silent:
        try:
            address, reason = known.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        del silent[address]
        yield address, reason
    for address in silent:
        yield address, f"no answer within {timeout + _LOOK_UP_S:g} s; the name of its host may be hard to look up"


def _find_out(address: str, timeout: float, known: SimpleQueue[tuple[str, str | None]]) -> None:
    known.put((address, _why_not(address, timeout)))


def describe(reasons: dict[str, str | None]) -> str:
    """A line per address."""
    return "\n".join(f"  {address}: {reason or 'answers'}" for address, reason in reasons.items())


def _why_not(address: str, timeout: float) -> str | None:
    import socket

    try:
        if address.startswith("unix:"):
            with socket.socket(socket.AF_UNIX) as probe_socket:
                probe_socket.settimeout(timeout)
                probe_socket.connect(address.removeprefix("unix:"))
        else:
            socket.create_connection(host_and_port(address), timeout).close()
    except ValueError as error:
        return str(error)
    except socket.gaierror as error:
        return f"no host of this name is known here: {error.strerror}"
    except TimeoutError:
        return f"no answer within {timeout:g} s; a firewall may drop what is sent there"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None


def host_and_port(address: str) -> tuple[str, int]:
    """Of ``tcp:host:port``; an IPv6 address is in brackets.  Raises: ValueError."""
    host, colon, port = address.removeprefix("tcp:").rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{address!r} is no address such as tcp:host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)
