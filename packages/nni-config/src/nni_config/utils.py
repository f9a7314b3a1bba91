"""Helpers for configuration classes that were written for NNI: `nni.experiment.config.utils`."""

from __future__ import annotations

import dataclasses
import socket
from pathlib import Path
from typing import Any

from nni_config import paths
from nni_config.base import ConfigBase
from nni_config.names import camel_case
from nni_config.names import comparable as case_insensitive
from nni_config.training_service import TrainingServiceConfig, training_service_class
from nni_config.units import parse_memory_size, parse_time

__all__ = [
    "PathLike",
    "camel_case",
    "canonical_gpu_indices",
    "case_insensitive",
    "diff",
    "get_base_path",
    "get_ipv4_address",
    "is_missing",
    "load_training_service_config",
    "parse_memory_size",
    "parse_time",
    "resolve_path",
    "set_base_path",
    "training_service_config_factory",
    "unset_base_path",
    "validate_gpu_indices",
]

PathLike = Path | str
"""The type of a field that takes a path."""


def is_missing(value: Any) -> bool:
    """Returns whether a field's value says that nobody set it."""
    return value is None or isinstance(value, type(dataclasses.MISSING))


def canonical_gpu_indices(indices: list[int] | int | str | None) -> list[int] | None:
    """Returns indices of GPUs as a list: "0,1" and a single number too. None stays None.

    Raises:
        ValueError: The text is no list of whole numbers.
    """
    if isinstance(indices, str):
        return [int(index) for index in indices.split(",")]
    return [indices] if isinstance(indices, int) else indices


def validate_gpu_indices(indices: list[int] | None) -> None:
    """Checks a list of indices of GPUs.

    Raises:
        ValueError: One is given twice, or is negative.
    """
    if indices is None:
        return
    if len(set(indices)) != len(indices):
        raise ValueError(f"Duplication detected in GPU indices {indices}")
    if any(index < 0 for index in indices):
        raise ValueError(f"Negative detected in GPU indices {indices}")


def diff(config1: ConfigBase, config2: ConfigBase, from_: str = "", to_: str = "") -> str:
    """Returns the differences between two configurations as a unified diff of their JSON forms.

    Args:
        config1: The old one.
        config2: The new one.
        from_: What to call the old one.
        to_: What to call the new one.

    Returns:
        The text, empty when the two are equal. Secrets are not in it.

    Raises:
        InvalidConfigError: One of the two is not valid.
    """
    import difflib
    import pprint

    old, new = (pprint.pformat(config.json()).splitlines() for config in (config1, config2))
    return "\n".join(difflib.unified_diff(old, new, from_, to_, lineterm=""))


def get_base_path() -> Path:
    """Returns the folder that relative paths of a new configuration are relative to."""
    return paths.current_base_path()


def set_base_path(path: PathLike) -> None:
    """Makes relative paths of the configurations built from now on relative to a folder.

    Raises:
        RuntimeError: There is one already.
    """
    paths.set_base_path(Path(path))


def unset_base_path() -> None:
    """Makes relative paths of the configurations built from now on relative to the working directory."""
    paths.unset_base_path()


def resolve_path(path: PathLike, base_path: PathLike) -> str:
    """Returns a path with `~` expanded, made absolute, links resolved. It need not exist.

    Raises:
        ValueError: It begins with the home folder of a user that there is not.
    """
    return paths.absolute_path(path, Path(base_path))


def training_service_config_factory(platform: str) -> TrainingServiceConfig:
    """Returns an empty configuration of a platform.

    Raises:
        ValueError: There is no such platform.
    """
    try:
        config_class = training_service_class(platform)
    except ValueError as error:
        raise ValueError(f"Bad training service platform: {error}") from None
    return config_class()


def load_training_service_config(config: Any) -> Any:
    """Returns the configuration that a dict with a known platform means, anything else as it is."""
    if isinstance(config, dict) and "platform" in config:
        try:
            config_class = training_service_class(config["platform"])
        except ValueError:
            return config
        return config_class(**config)
    return config


def get_ipv4_address() -> str:
    """Returns the address by which other machines most likely reach this one.

    Raises:
        OSError: This machine is in no network.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: connecting only asks the system for the way. The address is one for documentation.
        probe.connect(("192.0.2.0", 80))
        return str(probe.getsockname()[0])
