"""The command line of a manager."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TlsFiles:
    """The files with which a manager listens with TLS, each PEM.

    Attributes:
        certificate: The certificate chain.
        key: Its private key.
        ca: The certificates that clients are to trust; None for the chain itself.
    """

    certificate: Path
    key: Path
    ca: Path | None = None


@dataclass(frozen=True)
class ManagerCommand:
    """What a manager is to do. Nothing here is secret: every user of the machine can read a command line.

    Attributes:
        experiments_directory: The folder that holds the experiment's folder.
        experiment_id: The experiment.
        port: The port to listen on; 0 picks a free one.
        bind: The address to listen on.
        allowed_hosts: Names under which a browser may reach the page, besides those of this machine.
        allow_plaintext: Listen beyond this machine although nothing is encrypted.
        tls: What it listens with TLS with; None for no TLS.
        log_level: How much the manager logs; None for its default.
        url_prefix: The path that a reverse proxy puts before the page's; None for none.
        view: Only show the experiment, read-only, until standard input is closed.
        resume: Go on with the experiment that an earlier manager recorded.
    """

    experiments_directory: Path
    experiment_id: str
    port: int = 0
    bind: str = "127.0.0.1"
    allowed_hosts: Sequence[str] = ()
    allow_plaintext: bool = False
    tls: TlsFiles | None = None
    log_level: str | None = None
    url_prefix: str | None = None
    view: bool = False
    resume: bool = False

    @property
    def log_directory(self) -> Path:
        """The folder of the experiment's logs."""
        return self.experiments_directory / self.experiment_id / "log"

    def arguments(self, ready_descriptor: int) -> list[str]:
        """Returns the command line.

        Args:
            ready_descriptor: The pipe on which the manager tells that it is ready.
        """
        arguments = [sys.executable, "-m", "nni_manager"]
        arguments += ["--experiments-directory", str(self.experiments_directory)]
        arguments += ["--experiment-id", self.experiment_id]
        arguments += ["--port", str(self.port), "--bind", self.bind]
        for host in self.allowed_hosts:
            arguments += ["--allowed-host", host]
        if self.allow_plaintext:
            arguments.append("--allow-plaintext")
        if self.tls is not None:
            arguments += ["--tls-certificate", str(self.tls.certificate), "--tls-key", str(self.tls.key)]
            arguments += ["--tls-ca", str(self.tls.ca)] if self.tls.ca is not None else []
        if self.log_level:
            arguments += ["--log-level", self.log_level]
        if self.url_prefix:
            arguments += ["--url-prefix", self.url_prefix]
        if self.view:
            arguments += ["--view", "--lifeline-fd", "0"]
        if self.resume:
            arguments.append("--resume")
        return [*arguments, "--ready-fd", str(ready_descriptor)]
