"""Checks that several configuration classes share. Each reports at the field that it names."""

from __future__ import annotations

import ipaddress
import re
from os import PathLike, fspath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from nni_config.names import short
from nni_config.paths import is_directory, is_file
from nni_config.problems import Report

if TYPE_CHECKING:
    from nni_config.base import ConfigBase

_HOST = re.compile(r"[\w.-]+", re.ASCII)


def check_directory(config: ConfigBase, name: str, report: Report) -> None:
    """Reports a path that is set and is no directory."""
    path = getattr(config, name)
    if path is not None and not report.has_problem(name) and not is_directory(path):
        report.add(f'"{_shown(path)}" is not a directory; allowed is an existing folder', name)


def check_file(config: ConfigBase, name: str, report: Report) -> None:
    """Reports a path that is set and is no file."""
    path = getattr(config, name)
    if path is not None and not report.has_problem(name) and not is_file(path):
        report.add(f'"{_shown(path)}" is not a file; allowed is an existing file', name)


def _shown(path: str | PathLike[str], limit: int = 1000) -> str:
    text = fspath(path)
    return text if len(text) <= limit else f"{text[:limit]}..."


def check_not_blank(config: ConfigBase, report: Report, *names: str) -> None:
    """Reports texts that are set and have nothing in them."""
    for name in names:
        value = getattr(config, name)
        if isinstance(value, str) and not value.strip():
            report.add(f"{short(value)} is blank; allowed is text", name)


def check_host(config: ConfigBase, name: str, report: Report) -> None:
    """Reports a text that is set and is neither the name nor the address of a machine."""
    host = getattr(config, name)
    problem = None if host is None or report.has_problem(name) else host_problem(host)
    if problem is not None:
        report.add(f"{short(host)} {problem}; allowed is the name or the address of a machine", name)


def check_endpoint(config: ConfigBase, name: str, report: Report) -> None:
    """Reports a text that is set and is not where a process of some machine listens."""
    endpoint = getattr(config, name)
    if endpoint is None or report.has_problem(name):
        return
    host, _, port = endpoint.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    is_port = port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536
    is_host = (is_bracketed or ":" not in host) and not host_problem(host[1:-1] if is_bracketed else host)
    if not is_port or not is_host:
        allowed = 'allowed is "host:port", such as "127.0.0.1:5000" or "[::1]:5000"'
        report.add(f"{short(endpoint)} is not an endpoint; {allowed}", name)


def check_url(config: ConfigBase, name: str, report: Report) -> None:
    """Reports a text that is set and is not the address of a web service."""
    url = getattr(config, name)
    if url is None or report.has_problem(name):
        return
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
    except ValueError:
        is_url = False
    if not is_url:
        report.add(f'{short(url)} is not a URL; allowed is text such as "https://host/path"', name)


def is_loopback(endpoint: str) -> bool:
    """Returns whether a "host:port" is on this machine for certain."""
    host = endpoint.rpartition(":")[0].removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_problem(host: str) -> str | None:
    """Returns what is wrong with the name or address of a machine, or None."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return None
    if not host.strip():
        return "is blank"
    if "://" in host:
        return "has a scheme"
    if "@" in host:
        return "has a user in it, which is a field of its own"
    if ":" in host and host.rpartition(":")[2].isdigit():
        return "has a port in it, which is a field of its own"
    if re.fullmatch(r"[\d.]+", host):
        return "is not an IP address"
    if not _HOST.fullmatch(host.encode("idna").decode() if _is_international(host) else host):
        return "is not the name of a machine"
    return None


def _is_international(host: str) -> bool:
    try:
        return not host.isascii() and bool(host.encode("idna"))
    except UnicodeError:
        return False
