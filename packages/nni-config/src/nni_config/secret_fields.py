"""The secrets of a configuration, which no record has: found, and taken from the environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from nni_config.base import ConfigBase
from nni_config.fields import field_kinds, is_required
from nni_config.names import path_text
from nni_config.problems import InvalidConfigError, Steps

_VARIABLE_START = "NNI_SECRET_"


@dataclass(frozen=True, slots=True, eq=False)
class SecretField:
    """A field that takes a secret.

    Attributes:
        owner: The configuration that has the field.
        path: The way to the field from the whole configuration.
        is_required: Whether it must be set.
        may_be_missed: Whether it may be what a configuration lacks with which something is wrong.
    """

    owner: ConfigBase
    path: Steps
    is_required: bool
    may_be_missed: bool = True

    @property
    def text(self) -> str:
        """The way to it, as in "training_service.machine_list[0].password"."""
        return path_text(self.path)

    @property
    def environment_variable(self) -> str:
        """The variable that it is taken from: NNI_SECRET_ and the way to it in capitals and underscores."""
        return _VARIABLE_START + re.sub(r"[^A-Z0-9]+", "_", self.text.upper()).strip("_")

    @property
    def is_set(self) -> bool:
        """Whether it has a value."""
        return getattr(self.owner, str(self.path[-1])) is not None

    def set(self, value: str) -> None:
        """Gives it a value.

        Raises:
            InvalidConfigError: The value is not allowed.
        """
        setattr(self.owner, str(self.path[-1]), value)


def secret_fields(config: ConfigBase) -> list[SecretField]:
    """Returns the fields of a configuration, and of those within it, that take secrets."""
    return _secret_fields(config, ())


def take_secrets_from_environment(
    config: ConfigBase, environment: Mapping[str, str] | None = None
) -> list[SecretField]:
    """Gives the secrets that are not set what the environment has for them.

    The variable of `training_service.password` is NNI_SECRET_TRAINING_SERVICE_PASSWORD, that of
    `training_service.machine_list[0].password` NNI_SECRET_TRAINING_SERVICE_MACHINE_LIST_0_PASSWORD.

    Args:
        config: The configuration; it is changed.
        environment: The variables; None for those of this process.

    Returns:
        The fields that were set.

    Raises:
        InvalidConfigError: A value is not allowed.
    """
    variables = os.environ if environment is None else environment
    taken = []
    for field in secret_fields(config):
        value = variables.get(field.environment_variable)
        if value and not field.is_set:
            field.set(value)
            taken.append(field)
    return taken


def missing_secrets(config: ConfigBase) -> list[SecretField]:
    """Returns the secrets without which a configuration cannot be used.

    These are those that must be set and are not, and those not set in a configuration that something is wrong
    with: a machine is reached with a password or with a key, and has neither.

    Args:
        config: The configuration, not changed.
    """
    unset = [field for field in secret_fields(config) if not field.is_set]
    if not unset:
        return []
    paths = {field.path for field in unset}
    wrong: set[Steps] = set()
    try:
        config.validate()
    except InvalidConfigError as error:
        wrong = {it.path[:-1] for it in error.problems if it.path and it.path not in paths}
    return [
        field for field in unset if field.is_required or (field.may_be_missed and field.path[:-1] in wrong)
    ]


def _secret_fields(config: ConfigBase, path: Steps) -> list[SecretField]:
    fields = type(config).model_fields
    found = [
        SecretField(config, (*path, name), is_required(fields[name]), use)
        for name, kind in field_kinds(type(config)).items()
        if kind.is_secret and (use := config._secret_use(name)) is not None
    ]
    for step, child in config._children():
        found += _secret_fields(child, (*path, *step))
    return found
