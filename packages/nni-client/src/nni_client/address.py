"""Where a manager listens."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


@dataclass(frozen=True)
class ManagerAddress:
    """Where a manager listens, and what opens it.

    Attributes:
        host: A host name or an IP address.
        port: The port.
        token: The manager's token; left out of the repr.
        ca_file: The file with the certificates that verify it, PEM; "" for one that listens without TLS.
        tls_name: The name that its certificate has, "" for the host.
    """

    host: str
    port: int
    token: str = field(repr=False)
    ca_file: str = ""
    tls_name: str = ""

    @property
    def authority(self) -> str:
        """The host and port as one text, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether this is an address of this machine only."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def host_to_call(bind: str) -> str:
    """Returns the host to call a manager of this machine at that listens on `bind`."""
    return _ANY_ADDRESS.get(bind, bind)


def parse_address(text: str) -> tuple[str, int]:
    """Returns host and port of "8080", "host:8080" or "[::1]:8080".

    Raises:
        ValueError: The text is none of these.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if colon else "127.0.0.1"
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is not an address: a port such as 8080, or HOST:PORT, is")
    return host, int(port)
