"""The port: binding it, and saying who holds it when it is busy."""

from __future__ import annotations

import errno
import socket

from nni_manager.server.addresses import is_loopback
from nni_manager.server.problems import StartProblem


def listen(host: str, port: int, encrypted: bool) -> socket.socket:
    """Returns a listening socket.

    Args:
        host: The address to listen on.
        port: The port; 0 picks a free one.
        encrypted: Whether connections are TLS, or the user accepts that they are not.

    Raises:
        StartProblem: The address cannot be used; the text says why and what to do.
    """
    family, address = _resolve(host, port)
    if not encrypted and not is_loopback(address[0]):
        raise StartProblem(
            f"listening on {host} lets other machines connect, and without TLS their tokens go in plain "
            "text; give --tls-certificate and --tls-key, or --allow-plaintext if the network is trusted"
        )
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise StartProblem(f"port {port} is in use by {_holder(port)}") from error
        if error.errno == errno.EACCES:
            raise StartProblem(f"port {port} may not be used by this user; take one above 1023") from error
        raise StartProblem(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    listener.setblocking(False)
    return listener


def _resolve(host: str, port: int) -> tuple[int, tuple[str, int]]:
    if not 0 <= port <= 65535:
        raise StartProblem(f"port {port} does not exist; 0 to 65535 do, 0 picks a free one")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartProblem(f"cannot listen on {host!r}: {error.strerror or error}") from error
    family, _, _, _, address = found[0]
    return family, (str(address[0]), int(address[1]))


def _holder(port: int) -> str:
    from nni_config import local_state

    record = local_state.find_manager_by_port(port)
    if record is not None:
        return (
            f"experiment {record.experiment_id}, which is still running; connect to it with "
            f"Experiment.connect({port}), or end it with: nnictl stop {record.experiment_id}"
        )
    return f"{_program(port)}; choose another port, 0 picks a free one"


def _program(port: int) -> str:
    import psutil

    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr or not connection.pid:
                continue
            if connection.laddr.port == port:
                process = psutil.Process(connection.pid)
                return f"{process.name()} (process {connection.pid}, user {process.username()})"
    except psutil.Error:
        pass  # it ended meanwhile, or we may not look
    return "another program"
