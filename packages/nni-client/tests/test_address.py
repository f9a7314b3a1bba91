from __future__ import annotations

import pytest
from nni_client.address import ManagerAddress, host_to_call, parse_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("8080", "127.0.0.1", 8080),
        ("gpu-7.example:81", "gpu-7.example", 81),
        ("[::1]:8080", "::1", 8080),
        ("10.0.0.1:65535", "10.0.0.1", 65535),
    ],
)
def test_addresses(text, host, port):
    assert parse_address(text) == (host, port)
    assert parse_address(ManagerAddress(host, port, "t").authority) == (host, port)


@pytest.mark.parametrize("text", ["", "abc", ":8080", "host:", "host:x", "0", "65536", "-1", "host:0", "٣"])
def test_what_is_no_address(text):
    with pytest.raises(ValueError, match="is not an address"):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("10.0.0.1", False),
        ("box", False),
    ],
)
def test_loopback(host, loopback):
    assert ManagerAddress(host, 1, "t").is_loopback is loopback


def test_a_manager_that_listens_everywhere_is_called_here():
    assert host_to_call("0.0.0.0") == "127.0.0.1"
    assert host_to_call("::") == "::1"
    assert host_to_call("10.0.0.1") == "10.0.0.1"
