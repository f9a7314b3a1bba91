"""Checks of ports and proxies."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping

from nni_config.local_state import find_manager_by_port

from nni_client.doctor.findings import Finding, failure, note, ok, warning

USUAL_PORT = 8080
"""The port of an experiment's page unless another is named."""

_LOOPBACK = "127.0.0.1"
_LOOPBACK_NAMES = (_LOOPBACK, "localhost")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy")
_SECONDS = 5.0


def connect_to_itself() -> None:
    """Listens on a free port of the loopback address and connects to it.

    Raises:
        OSError: That cannot be done.
    """
    with (
        socket.create_server((_LOOPBACK, 0)) as server,
        socket.create_connection(server.getsockname(), timeout=_SECONDS),
    ):
        pass


def is_port_free(port: int) -> bool:
    """Returns whether a manager could listen on a port of the loopback address."""
    try:
        with socket.create_server((_LOOPBACK, port)):
            return True
    except OSError:
        return False


def check_ports(
    connect: Callable[[], None] = connect_to_itself,
    is_free: Callable[[int], bool] = is_port_free,
    resolve: Callable[[str], str] = socket.gethostbyname,
) -> list[Finding]:
    """Checks that this machine can be reached by itself, and whether the usual port is free."""
    try:
        connect()
    except OSError as error:
        text = f"a port of {_LOOPBACK} cannot be listened on and connected to: {error}"
        repair = (
            "bring the loopback interface up (ip link set lo up), and see what a firewall or sandbox forbids"
        )
        return [failure(text, repair)]
    return [ok(f"ports of {_LOOPBACK} can be used"), *_name_findings(resolve), _usual_port_finding(is_free)]


def check_proxies(environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Checks that a proxy, where one is set, is not used for this machine itself."""
    found = [name for name in _PROXIES if _setting(environment, name)]
    if not found:
        return [ok("no proxy is set")]
    without = _setting(environment, "no_proxy")
    caught = [host for host in _LOOPBACK_NAMES if not _is_without_proxy(host, without)]
    names = ", ".join(found)
    if not caught:
        return [ok(f"{names}: set, and not used for this machine")]
    text = f"{names}: set for {' and '.join(caught)} too; nnictl does not use it there, browsers and curl do"
    wanted = ",".join([*([without] if without else []), *_LOOPBACK_NAMES])
    return [warning(text, f"export no_proxy={wanted}")]


def _setting(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""


def _is_without_proxy(host: str, without: str) -> bool:
    entries = [entry.strip().lstrip(".") for entry in without.split(",")]
    return "*" in entries or host in entries or (host == _LOOPBACK and "127.0.0.0/8" in entries)


def _name_findings(resolve: Callable[[str], str]) -> list[Finding]:
    try:
        address = resolve("localhost")
    except OSError as error:
        address = str(error)
    if address.startswith("127."):
        return []
    text = f"the name localhost does not lead to {_LOOPBACK} ({address}), so printed links do not work"
    return [warning(text, f"add the line '{_LOOPBACK} localhost' to /etc/hosts")]


def _usual_port_finding(is_free: Callable[[int], bool]) -> Finding:
    if is_free(USUAL_PORT):
        return ok(f"the usual port {USUAL_PORT} is free")
    manager = find_manager_by_port(USUAL_PORT)
    if manager is not None:
        return note(f"the usual port {USUAL_PORT} is that of experiment {manager.experiment_id}")
    text = f"the usual port {USUAL_PORT} is used by another program"
    return warning(text, "name another port: --port 8081, or --port 0 for a free one")
