"""The manager's command line."""

from __future__ import annotations

import argparse
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from nni_manager.server.certificates import Verification, verification
from nni_manager.server.logs import LEVELS
from nni_manager.server.problems import StartProblem

_URL_PREFIX = re.compile(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*")


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the manager was told at its start.

    Attributes:
        experiments_directory: The folder that holds the folders of experiments.
        experiment_id: The experiment; None has an id chosen.
        resume: Go on with an experiment that an earlier manager recorded.
        view: Only show the experiment, read-only.
        lifeline: The pipe that closes when whoever started a view has gone; None for nobody.
        port: The port; 0 picks a free one.
        bind: The address to listen on.
        allowed_hosts: Host names under which browsers may reach the manager.
        url_prefix: The first part of every path of the page, without slashes.
        log_level: One of logs.LEVELS.
        tls_certificate: The file with the certificate chain (PEM).
        tls_key: The file with its private key (PEM).
        tls_ca: The file with the certificates that clients are to trust (PEM); None for the chain itself.
        allow_plaintext: Whether to listen beyond loopback without TLS.
    """

    experiments_directory: Path
    experiment_id: str | None
    resume: bool
    view: bool
    lifeline: int | None
    port: int
    bind: str
    allowed_hosts: tuple[str, ...]
    url_prefix: str
    log_level: str
    tls_certificate: Path | None
    tls_key: Path | None
    tls_ca: Path | None
    allow_plaintext: bool

    def tls(self) -> ssl.SSLContext | None:
        """Returns the TLS settings, None when TLS was not asked for.

        Raises:
            StartProblem: Only one of the files was named, or they cannot be used.
        """
        if self.tls_certificate is None and self.tls_key is None:
            if self.tls_ca is not None:
                raise StartProblem("--tls-ca is set without --tls-certificate and --tls-key")
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

    def verification(self, tls: ssl.SSLContext | None, names: Sequence[str]) -> Verification | None:
        """Returns what clients need to verify the manager, None without TLS.

        Args:
            tls: The TLS settings.
            names: Names of this machine, the preferred one first.

        Raises:
            StartProblem: Clients cannot verify it.
        """
        trusted = self.tls_ca or self.tls_certificate
        return None if tls is None or trusted is None else verification(tls, trusted, names)


def parse_arguments(words: Sequence[str]) -> Arguments:
    """Returns the command line's arguments.

    Raises:
        StartProblem: An argument is missing, unknown or not allowed.
    """
    parser = _Parser(prog="python -m nni_manager", description="Runs one experiment.")
    parser.add_argument("--experiments-directory", type=Path, required=True)
    parser.add_argument("--experiment-id")
    parser.add_argument("--resume", action="store_true", help="go on with an experiment that is recorded")
    parser.add_argument("--view", action="store_true", help="only show the experiment, read-only")
    parser.add_argument(
        "--lifeline-fd",
        type=int,
        dest="lifeline",
        help="a pipe; with --view, the manager ends when it closes",
    )
    parser.add_argument("--port", type=int, default=8080, help="0 picks a free one")
    parser.add_argument("--bind", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--allowed-host", action="append", default=[], dest="allowed_hosts")
    parser.add_argument("--url-prefix", default="")
    parser.add_argument("--log-level", default="info", choices=sorted(LEVELS))
    parser.add_argument("--tls-certificate", type=Path)
    parser.add_argument("--tls-key", type=Path)
    parser.add_argument("--tls-ca", type=Path, help="what clients are to trust; the certificate if left out")
    parser.add_argument("--allow-plaintext", action="store_true", help="listen beyond loopback without TLS")
    parser.add_argument("--ready-fd", type=int, help="the pipe that is told when the manager is ready")
    found = vars(parser.parse_args(list(words)))
    for option in ("view", "resume"):
        if found[option] and found["experiment_id"] is None:
            raise StartProblem(f"--{option} needs --experiment-id")
    if found["view"] and found["resume"]:
        raise StartProblem("--view and --resume exclude each other")
    if found["lifeline"] is not None and not found["view"]:
        raise StartProblem("--lifeline-fd needs --view; an experiment outlives whoever started it")
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
