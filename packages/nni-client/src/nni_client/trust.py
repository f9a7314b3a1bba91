"""The certificates that verify a manager that listens with TLS."""

from __future__ import annotations

from pathlib import Path

from nni_client.address import ManagerAddress
from nni_client.errors import CallError


def trusted_certificates(address: ManagerAddress) -> str:
    """Returns the certificates, PEM.

    Raises:
        CallError: Their file cannot be read.
    """
    try:
        return Path(address.ca_file).read_text("latin-1")
    except OSError as error:
        raise CallError(
            f"The certificates that verify the manager at {address.authority} cannot be read: {error}"
        ) from error
