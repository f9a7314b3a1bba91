"""What can go wrong with a call, each kind once. rpc/ maps them to the protocol's error reasons."""

from __future__ import annotations


class ExperimentServiceError(Exception):
    """Base of the errors below; the text is for the caller."""


class InvalidConfigError(ExperimentServiceError):
    """The configuration is not valid; the text lists every problem."""


class InvalidArgumentError(ExperimentServiceError):
    """A field of the call is missing, malformed or out of range."""


class ExperimentNotFoundError(ExperimentServiceError):
    """No experiment has this name."""


class TrialNotFoundError(ExperimentServiceError):
    """The experiment has no trial of this name."""


class FileMissingError(ExperimentServiceError):
    """There is no such file, not yet or not any more; the text says why."""


class JobNotFoundError(ExperimentServiceError):
    """The manager follows no job of this name, not yet or not any more."""


class ExperimentAlreadyExistsError(ExperimentServiceError):
    """An experiment of this name exists, or this manager already runs another one."""


class WrongExperimentStatusError(ExperimentServiceError):
    """The experiment's status does not allow the call."""


class AlgorithmRefusedError(ExperimentServiceError):
    """The tuner cannot do what was asked, for example change its search space."""


class StorageFailedError(ExperimentServiceError):
    """The record cannot be written, for example because the disk is full."""


class ShuttingDownError(ExperimentServiceError):
    """The manager is shutting down."""
