"""Under which addresses the engines of other hosts find a server of this one.

A host has an address per network, and which of them a compute node sees nobody here can know: all are published, and the engine tries
them (linden.reaching).
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from linden.reaching import host_and_port

_SIOCGIFADDR = 0x8915  # netdevice(7): the IPv4 address of an interface
_IF_INET6 = Path("/proc/net/if_inet6")
_LINK_LOCAL_SCOPE = "20"


def published(tcp: str | None) -> tuple[str, ...]:
    """What to tell others of a server that listens on *tcp*, "host:port": itself, or for "all interfaces" each one's address.

    Those of networks come first, then the host's names, then loopback, which is of use on this host alone.
    """
    if tcp is None:
        return ()
    host, port = host_and_port(f"tcp:{tcp}")
    if host not in ("0.0.0.0", "::"):
        return (f"tcp:{tcp}",)
    return addresses_of(interface_addresses(), host_names(), port, ipv6=host == "::")


def addresses_of(numbers: Iterable[str], names: Iterable[str], port: int, *, ipv6: bool) -> tuple[str, ...]:
    """These IP addresses and names as addresses of a server, in the order of *published*.  Pure."""
    parsed = [ipaddress.ip_address(number) for number in numbers]
    usable = [number for number in parsed if number.version == 4 or ipv6]
    outside = [number for number in usable if not number.is_loopback]
    loopback = [number for number in usable if number.is_loopback]
    hosts = [*map(_bracketed, sorted(outside, key=lambda number: number.version)), *names, *map(_bracketed, loopback)]
    return tuple(dict.fromkeys(f"tcp:{host}:{port}" for host in hosts))


def _bracketed(number: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return f"[{number}]" if number.version == 6 else str(number)


def host_names() -> list[str]:
    """What this host calls itself, the full name first."""
    short = os.uname().nodename
    full = socket.getfqdn(short)
    return list(dict.fromkeys(name for name in (full, short) if name and not name.startswith("localhost")))


def interface_addresses() -> list[str]:
    """The IP addresses of all interfaces that are up, IPv4 first; without those that are valid on one link only."""
    found = [address for _, name in socket.if_nameindex() if (address := _ipv4_of(name))]
    try:
        lines = _IF_INET6.read_text(encoding="ascii").splitlines()
    except OSError:  # a host without IPv6
        return found
    for digits, _, _, scope, *_ in map(str.split, lines):
        if scope != _LINK_LOCAL_SCOPE:
            found.append(str(ipaddress.IPv6Address(int(digits, 16))))
    return found


def _ipv4_of(interface: str) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket.fileno(), _SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
        except OSError:  # it has none
            return None
    return socket.inet_ntoa(answer[20:24])
