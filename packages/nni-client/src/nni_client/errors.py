"""What a call can raise, and which reason of the protocol becomes which of these.

Every error is a RuntimeError, since that is what scripts written for NNI catch; faults of the
arguments are a ValueError too.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


class CallError(RuntimeError):
    """A call to the manager failed; the text says why. Base of the errors below."""


class InvalidArgumentError(CallError, ValueError):
    """A value of the call is missing, malformed or out of range."""


class InvalidConfigError(CallError, ValueError):
    """The experiment's configuration is not valid; the text lists every problem."""


class AlgorithmRefusedError(CallError, ValueError):
    """The tuner cannot do what was asked, for example change its search space."""


class NotFoundError(CallError, LookupError):
    """There is no experiment or no trial of this id."""


class AlreadyExistsError(CallError):
    """An experiment of this id exists, or the manager already runs another one."""


class WrongStatusError(CallError):
    """The experiment's status does not allow the call."""


class AccessDeniedError(CallError):
    """The token is missing, wrong, or not good for this call."""


class StorageFailedError(CallError):
    """The manager cannot write the record, for example because the disk is full."""


class ManagerFaultError(CallError):
    """A fault of the manager itself; its log has the cause."""


class ManagerUnreachableError(CallError):
    """Nothing answers at the manager's address, or the manager is shutting down."""


class CallTimeoutError(CallError, TimeoutError):
    """The manager did not answer in time."""


REASONS: Mapping[str, type[CallError]] = MappingProxyType(
    {
        "INVALID_ARGUMENT": InvalidArgumentError,
        "INVALID_CONFIG": InvalidConfigError,
        "EXPERIMENT_NOT_FOUND": NotFoundError,
        "TRIAL_NOT_FOUND": NotFoundError,
        "JOB_NOT_FOUND": NotFoundError,
        "EXPERIMENT_ALREADY_EXISTS": AlreadyExistsError,
        "WRONG_EXPERIMENT_STATUS": WrongStatusError,
        "UNAUTHENTICATED": AccessDeniedError,
        "PERMISSION_DENIED": AccessDeniedError,
        "STORAGE_FAILED": StorageFailedError,
        "INTERNAL": ManagerFaultError,
        "ALGORITHM_REFUSED": AlgorithmRefusedError,
        "SHUTTING_DOWN": ManagerUnreachableError,
        "FILE_NOT_FOUND": NotFoundError,
    }
)
"""Which error each ErrorReason of the protocol becomes, by its name without prefix."""


def error_for_reason(reason: str, message: str) -> CallError:
    """Returns the error for a reason; a reason of a newer manager becomes a plain CallError."""
    return REASONS.get(reason, CallError)(message)
