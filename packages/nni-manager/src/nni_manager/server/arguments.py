"""The manager's command line."""

from __future__ import annotations

import argparse
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from nni_manager.server.logs import LEVELS
from nni_manager.server.problems import StartProblem

_URL_PREFIX = re.compile(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the manager was told at its start.

    Attributes:
        experiments_directory: The folder that holds the folders of experiments.
        experiment_id: The experiment; None has an id chosen.
        view: Only show the experiment, read-only.
        port: The port; 0 picks a free one.
        bind: The address to listen on.
        allowed_hosts: Host names under which browsers may reach the manager.
        url_prefix: The first part of every path of the page, without slashes.
        log_level: One of logs.LEVELS.
        tls_certificate: The file with the certificate chain (PEM).
        tls_key: The file with its private key (PEM).
        allow_plaintext: Whether to listen beyond loopback without TLS.
    """

    experiments_directory: Path
    experiment_id: str | None
    view: bool
    port: int
    bind: str
    allowed_hosts: tuple[str, ...]
    url_prefix: str
    log_level: str
    tls_certificate: Path | None
    tls_key: Path | None
    allow_plaintext: bool

    def tls(self) -> ssl.SSLContext | None:
        """Returns the TLS settings, None when TLS was not asked for.

        Raises:
            StartProblem: Only one of the files was named, or they cannot be used.
        """
        if self.tls_certificate is None and self.tls_key is None:
            return None
        if self.tls_certificate is None or self.tls_key is None:
            raise StartProblem("--tls-certificate and --tls-key go together; one is missing")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.tls_certificate, self.tls_key, password=_no_password)
        except (OSError, ValueError) as error:
            raise StartProblem(
                f"{self.tls_certificate} and {self.tls_key} are not a certificate and its key without a "
                f"passphrase, in PEM: {error}"
            ) from error
        # Browsers offer both and get HTTP/1.1, which the page needs; gRPC offers h2 alone.
        context.set_alpn_protocols(["http/1.1", "h2"])
        return context


def parse_arguments(words: Sequence[str]) -> Arguments:
    """Returns the command line's arguments.

    Raises:
        StartProblem: An argument is missing, unknown or not allowed.
    """
    parser = _Parser(prog="python -m nni_manager", description="Runs one experiment.")
    parser.add_argument("--experiments-directory", type=Path, required=True)
    parser.add_argument("--experiment-id")
    parser.add_argument("--view", action="store_true", help="only show the experiment, read-only")
    parser.add_argument("--port", type=int, default=8080, help="0 picks a free one")
    parser.add_argument("--bind", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--allowed-host", action="append", default=[], dest="allowed_hosts")
    parser.add_argument("--url-prefix", default="")
    parser.add_argument("--log-level", default="info", choices=sorted(LEVELS))
    parser.add_argument("--tls-certificate", type=Path)
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--allow-plaintext", action="store_true", help="listen beyond loopback without TLS")
    parser.add_argument("--ready-fd", type=int, help="the pipe that is told when the manager is ready")
    found = vars(parser.parse_args(list(words)))
    if found["view"] and found["experiment_id"] is None:
        raise StartProblem("--view needs --experiment-id")
    del found["ready_fd"]  # __main__ has read it before anything could fail
    found["allowed_hosts"] = tuple(found["allowed_hosts"])
    found["url_prefix"] = found["url_prefix"].strip("/")
    if found["url_prefix"] and not _URL_PREFIX.fullmatch(found["url_prefix"]):
        raise StartProblem(
            f"--url-prefix: {found['url_prefix']!r} is not letters, digits and any of . _ ~ - /"
        )
    return Arguments(**found)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise StartProblem(message)


def _no_password() -> str:
    raise ValueError("the key has a passphrase")
