"""What `Experiment` and its start accept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nni_config import ExperimentConfig, InvalidConfigError, start_problems
from nni_proto.resource_names import EXPERIMENT_ID_PATTERN

from nni_client.run_mode import RunMode


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
