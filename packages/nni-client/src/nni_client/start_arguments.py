"""What `Experiment` and its start accept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nni_config import ExperimentConfig, InvalidConfigError, start_problems
from nni_proto.resource_names import EXPERIMENT_ID_PATTERN

from nni_client.manager_command import ManagerCommand, TlsFiles
from nni_client.run_mode import RunMode
from nni_client.starting import StartOptions


@dataclass(frozen=True)
class Start:
    """How a manager is to be started; the arguments of `Experiment.start`."""

    port: int
    debug: bool
    run_mode: RunMode
    bind: str | None
    allowed_hosts: Sequence[str] | None
    allow_plaintext: bool
    start_timeout: float | None
    tls: TlsFiles | None = None

    def check(self, url_prefix: str | None) -> None:
        """Checks it together with the prefix of the page's path; see `check_start`."""
        check_start(self.port, self.run_mode, self.bind, self.allowed_hosts, self.start_timeout, url_prefix)

    def applied_to(self, config: ExperimentConfig) -> ExperimentConfig:
        """Makes a configuration log more, if that was asked for, and returns it."""
        if self.debug:
            config.debug = True
            if config.log_level != "trace":
                config.log_level = "debug"
        return config

    def command(
        self,
        experiments_directory: Path,
        experiment_id: str,
        url_prefix: str | None,
        log_level: str | None,
        *,
        view: bool = False,
        resume: bool = False,
    ) -> ManagerCommand:
        """Returns the manager's command line; see `ManagerCommand` for the arguments."""
        return ManagerCommand(
            experiments_directory,
            experiment_id,
            port=self.port,
            bind=self.bind or "127.0.0.1",
            allowed_hosts=tuple(self.allowed_hosts or ()),
            allow_plaintext=self.allow_plaintext,
            tls=self.tls,
            log_level=log_level or ("debug" if self.debug else None),
            url_prefix=url_prefix,
            view=view,
            resume=resume,
        )

    def options(self, call_timeout: float | None) -> StartOptions:
        """Returns how it is started, with the limit of each call in seconds."""
        return StartOptions(
            inherit_output=self.run_mode is RunMode.Foreground,
            start_timeout=self.start_timeout,
            call_timeout=call_timeout,
        )


def tls_files(
    certificate: str | Path | None, key: str | Path | None, ca: str | Path | None
) -> TlsFiles | None:
    """Returns the files of TLS, None where none is named.

    Raises:
        ValueError: Some are named, and not all that are needed.
    """
    if certificate is None and key is None and ca is None:
        return None
    if certificate is None or key is None:
        missing = "tls_certificate" if certificate is None else "tls_key"
        raise ValueError(f"{missing}: it is not set; a manager with TLS needs a certificate and its key")
    # The manager has another working directory.
    trusted = None if ca is None else Path(ca).absolute()
    return TlsFiles(Path(certificate).absolute(), Path(key).absolute(), trusted)


def config_of(value: Any) -> ExperimentConfig | None:
    """Returns the configuration that is given, a new one for the name of a platform, None for None.

    Raises:
        TypeError: The value is nothing of these.
        ValueError: There is no such platform.
    """
    if value is None or isinstance(value, ExperimentConfig):
        return value
    names = value if isinstance(value, (list, tuple)) else [value]
    if not names or not all(isinstance(name, str) for name in names):
        # Not the value itself: a configuration of another class may hold a password.
        raise TypeError(
            f"{_kind(value)} is not a configuration; allowed is an ExperimentConfig, the name of a platform "
            'such as "local", a list of such names, or None'
        )
    return ExperimentConfig(value)


def startable(config: ExperimentConfig) -> ExperimentConfig:
    """Returns the canonical copy of a configuration with which an experiment can be started.

    Raises:
        InvalidConfigError: It is not valid, or this version does not run trials where it says.
    """
    canonical = config.canonical_copy()
    problems = start_problems(canonical)
    if problems:
        raise InvalidConfigError(problems)
    return canonical


def check_id(value: Any) -> None:
    """Checks the id of an experiment.

    Raises:
        ValueError: It is not one.
    """
    if not isinstance(value, str) or not EXPERIMENT_ID_PATTERN.fullmatch(value):
        raise ValueError(f"Invalid experiment ID: {value!r}; 1 to 32 letters, digits, '_' or '-' are allowed")


def check_start(
    port: Any, run_mode: Any, bind: Any, allowed_hosts: Any, start_timeout: Any, url_prefix: Any
) -> None:
    """Checks how a manager is to be started.

    Raises:
        TypeError: A value is of a wrong type.
        ValueError: A value is not allowed.
    """
    if not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"port: {port!r} is not a port; allowed is a number, 0 for a free one")
    if not 0 <= port <= 65535:
        raise ValueError(f"port: {port} is not a port; allowed is a number from 0 to 65535")
    if not isinstance(run_mode, RunMode):
        raise TypeError(f"run_mode: {run_mode!r} is not allowed; allowed is {', '.join(map(str, RunMode))}")
    for name, text in (("bind", bind), ("url_prefix", url_prefix)):
        if text is not None and not isinstance(text, str):
            raise TypeError(f"{name}: {text!r} is not text")
    one_text = isinstance(allowed_hosts, (str, bytes))
    if allowed_hosts is not None and (
        one_text
        or not isinstance(allowed_hosts, Sequence)
        or not all(isinstance(host, str) for host in allowed_hosts)
    ):
        raise TypeError(f'allowed_hosts: {allowed_hosts!r} is not a list of names such as ["proxy.example"]')
    if start_timeout is not None and (
        not isinstance(start_timeout, (int, float)) or isinstance(start_timeout, bool)
    ):
        raise TypeError(f"start_timeout: {start_timeout!r} is not a number of seconds")
    if start_timeout is not None and not start_timeout > 0:
        raise ValueError(f"start_timeout: {start_timeout} is not above 0")


def _kind(value: Any) -> str:
    return (
        f"a value of type {type(value).__name__}"
        if not isinstance(value, type)
        else f"class {value.__name__}"
    )
