"""Checks of requests: every error names the field."""

from __future__ import annotations

import uuid
from typing import Any

from nni_proto import resource_names, values
from nni_proto.v1 import value_pb2

from nni_manager.experiments.errors import InvalidArgumentError


def experiment_id(name: str, field: str) -> str:
    """Returns the id in an experiment's name.

    Raises:
        InvalidArgumentError: It is not the name of an experiment.
    """
    try:
        return resource_names.parse_experiment_name(name)
    except ValueError as error:
        raise InvalidArgumentError(f"{field}: {error}") from error


def trial_ids(name: str, field: str) -> tuple[str, str]:
    """Returns the experiment's id and the trial's id in a trial's name.

    Raises:
        InvalidArgumentError: It is not the name of a trial.
    """
    try:
        return resource_names.parse_trial_name(name)
    except ValueError as error:
        raise InvalidArgumentError(f"{field}: {error}") from error


def job_ids(name: str, field: str) -> tuple[str, str]:
    """Returns the experiment's id and the job in a job's name.

    Raises:
        InvalidArgumentError: It is not the name of a job.
    """
    try:
        return resource_names.parse_job_name(name)
    except ValueError as error:
        raise InvalidArgumentError(f"{field}: {error}") from error


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
    try:
        return values.from_message(message)
    except ValueError as error:
        raise InvalidArgumentError(f"{field}: {error}") from error


def not_negative(number: int, field: str) -> int:
    """Returns a number.

    Raises:
        InvalidArgumentError: It is below 0.
    """
    if number < 0:
        raise InvalidArgumentError(f"{field}: {number} is below 0")
    return number
