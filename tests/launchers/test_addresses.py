"""Under which addresses a server is published."""

import os
import socket

import pytest
from linden.reaching import host_and_port
from linden_launchers.addresses import addresses_of, host_names, interface_addresses, published


def test_a_server_at_one_address_is_published_there() -> None:
    assert published("127.0.0.1:4711") == ("tcp:127.0.0.1:4711",)
    assert published("[::1]:4711") == ("tcp:[::1]:4711",)
    assert published(None) == ()


def test_networks_come_first_then_names_then_loopback() -> None:
    numbers = ["127.0.0.1", "fd00::5", "10.0.0.5", "::1", "192.168.1.5"]
    assert addresses_of(numbers, ["login.site", "login"], 7, ipv6=True) == (
        "tcp:10.0.0.5:7",
        "tcp:192.168.1.5:7",
        "tcp:[fd00::5]:7",
        "tcp:login.site:7",
        "tcp:login:7",
        "tcp:127.0.0.1:7",
        "tcp:[::1]:7",
    )


def test_a_server_that_listens_for_ipv4_only_has_no_ipv6_address() -> None:
    assert addresses_of(["::1", "127.0.0.1"], [], 7, ipv6=False) == ("tcp:127.0.0.1:7",)


def test_all_interfaces_of_this_host_can_be_connected_to() -> None:
    with socket.create_server(("127.0.0.1", 0)):
        addresses = interface_addresses()
    assert "127.0.0.1" in addresses
    assert set(host_names()) <= {socket.getfqdn(), os.uname().nodename}
    for address in published("0.0.0.0:4711"):
        assert host_and_port(address)[1] == 4711
    assert "tcp:127.0.0.1:4711" in published("0.0.0.0:4711")


@pytest.mark.parametrize("wrong", ["nonsense", "host:0x1"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="no address such as"):
        published(wrong)
