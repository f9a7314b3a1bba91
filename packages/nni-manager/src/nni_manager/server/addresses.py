"""The names and addresses under which a manager is reached."""

from __future__ import annotations

import ipaddress
import socket

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def reachable_host(bind: str, address: str) -> str:
    """Returns the host that people are told.

    Args:
        bind: What to listen on, as it was written.
        address: The address that is listened on.
    """
    if address in _ANY:
        return socket.gethostname()
    return bind


def local_address(address: str, port: int) -> str:
    """Returns host:port for programs on this machine."""
    return f"{bracketed(local_host(address))}:{port}"


def local_host(address: str) -> str:
    """Returns the host for programs on this machine."""
    return _ANY.get(address, address)


def is_loopback(address: str) -> bool:
    """Returns whether only programs on this machine reach an address."""
    return ipaddress.ip_address(address).is_loopback


def page_url(host: str, port: int, url_prefix: str, secure: bool) -> str:
    """Returns the page's address, ending in "/"."""
    prefix = f"{url_prefix}/" if url_prefix else ""
    return f"{'https' if secure else 'http'}://{bracketed(host)}:{port}/{prefix}"


def bracketed(host: str) -> str:
    """Returns a host as it is written before a port."""
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host
