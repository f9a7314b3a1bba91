"""What programs need to verify a manager that listens with TLS."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nni_manager.server.problems import StartProblem

# The file may hold the private key too, which must not be passed on.
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_MOST_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Verification:
    """What a client needs to know the manager from an impostor.

    Attributes:
        certificates: The certificates to trust, PEM.
        name: A name that the manager's certificate has.
    """

    certificates: str
    name: str


def certificates_in(path: Path) -> str:
    """Returns the certificates in a file, PEM, without what else is in it.

    Raises:
        OSError: It cannot be read.
    """
    return "".join(f"{each}\n" for each in _CERTIFICATE.findall(path.read_text("latin-1")))


def verification(server: ssl.SSLContext, trusted: Path, names: Sequence[str]) -> Verification:
    """Returns what verifies a server, tried out by a handshake in memory.

    Args:
        server: The server's settings.
        trusted: The file with the certificates to trust.
        names: Names of this machine, the preferred one first. If the certificate has none of them, the first
            name is taken that it has.

    Raises:
        StartProblem: The certificates cannot be read, do not verify the server, or it has no name.
    """
    try:
        certificates = certificates_in(trusted)
        client = client_context(certificates)
        client.check_hostname = False
        found = _handshake(server, client, None)
    except ssl.SSLCertVerificationError as error:
        raise StartProblem(
            f"clients cannot verify the manager's certificate by {trusted}: {error.verify_message}"
        ) from error
    except (OSError, ValueError) as error:
        raise StartProblem(f"{trusted} does not hold certificates in PEM: {error}") from error
    client.check_hostname = True
    own = [value.replace("*", "nni") for kind, value in found if kind in ("DNS", "IP Address")]
    for name in (*names, *own):
        try:
            _handshake(server, client, name)
        except ssl.SSLCertVerificationError:
            continue
        return Verification(certificates, name)
    raise StartProblem(
        "the manager's certificate has no subjectAltName, so clients cannot verify it; make one with the "
        "name of this machine, such as: openssl req -x509 ... -addext subjectAltName=DNS:HOST"
    )


def client_context(certificates: str) -> ssl.SSLContext:
    """Returns the settings of a client that trusts these certificates and no others.

    Raises:
        ValueError: There is none in the text.
        ssl.SSLError: One cannot be used.
    """
    if not certificates:
        raise ValueError("it has no part that begins with BEGIN CERTIFICATE")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # As gRPC and curl do: a chain without its root is enough.
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(cadata=certificates)
    return client


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str | None) -> Sequence[tuple[str, str]]:
    """Returns the names that the server's certificate has; raises what the client has against it."""
    upstream, downstream = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(downstream, upstream, server_hostname=name),
        server.wrap_bio(upstream, downstream, server_side=True),
    )
    for _ in range(_MOST_ROUNDS):
        done = [_go_on(end) for end in ends]
        if all(done):
            break
    found = ends[0].getpeercert() or {}
    names: Sequence[tuple[str, str]] = found.get("subjectAltName", ())  # type: ignore[assignment]
    return names


def _go_on(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
