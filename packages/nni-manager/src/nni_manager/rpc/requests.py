"""Checks of requests: every error names the field."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, TypeVar

from nni_proto import resource_names, values
from nni_proto.v1 import value_pb2

from nni_manager.experiments.errors import InvalidArgumentError

_Written = TypeVar("_Written")
_Read = TypeVar("_Read")


def experiment_id(name: str, field: str) -> str:
    """Returns the id in an experiment's name.

    Raises:
        InvalidArgumentError: It is not the name of an experiment.
    """
    return _read(resource_names.parse_experiment_name, name, field)


def trial_ids(name: str, field: str) -> tuple[str, str]:
    """Returns the experiment's id and the trial's id in a trial's name.

    Raises:
        InvalidArgumentError: It is not the name of a trial.
    """
    return _read(resource_names.parse_trial_name, name, field)


def job_ids(name: str, field: str) -> tuple[str, str]:
    """Returns the experiment's id and the job in a job's name.

    Raises:
        InvalidArgumentError: It is not the name of a job.
    """
    return _read(resource_names.parse_job_name, name, field)


def experiment_or_trial_ids(name: str, field: str) -> tuple[str, str | None]:
    """Returns the ids in the name of a trial, or of an experiment with None as the trial's id.

    Raises:
        InvalidArgumentError: It is neither.
    """
    if "/trials/" in name:
        return trial_ids(name, field)
    return experiment_id(name, field), None


def request_id(text: str) -> str:
    """Returns a request id.

    Raises:
        InvalidArgumentError: It is not a UUID.
    """
    try:
        uuid.UUID(text)
    except ValueError as error:
        raise InvalidArgumentError(f"request_id: {text!r} is not a UUID") from error
    return text


def value(message: value_pb2.Value, field: str) -> Any:
    """Returns the Python value of a message.

    Raises:
        InvalidArgumentError: A kind is not set, or an object has a key twice.
    """
    return _read(values.from_message, message, field)


def not_negative(number: int, field: str) -> int:
    """Returns a number.

    Raises:
        InvalidArgumentError: It is below 0.
    """
    if number < 0:
        raise InvalidArgumentError(f"{field}: {number} is below 0")
    return number


def _read(reader: Callable[[_Written], _Read], written: _Written, field: str) -> _Read:
    """Reads a field with a function that raises ValueError, and names the field where it does."""
    try:
        return reader(written)
    except ValueError as error:
        raise InvalidArgumentError(f"{field}: {error}") from error
