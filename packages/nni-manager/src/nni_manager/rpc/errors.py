"""One table: what a failed call raises, and what the caller is told."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from nni_proto.v1 import error_reason_pb2

from nni_manager.experiments import errors
from nni_manager.rpc.access import PermissionDeniedError, UnauthenticatedError

_LOGGER = logging.getLogger(__name__)

ERROR_DOMAIN = "nni"
"""The domain of every ErrorInfo."""

_Code = grpc.StatusCode
_Reason = error_reason_pb2.ErrorReason

ERROR_TABLE: Mapping[type[Exception], tuple[grpc.StatusCode, error_reason_pb2.ErrorReason.ValueType]] = {
    errors.InvalidArgumentError: (_Code.INVALID_ARGUMENT, _Reason.ERROR_REASON_INVALID_ARGUMENT),
    errors.InvalidConfigError: (_Code.INVALID_ARGUMENT, _Reason.ERROR_REASON_INVALID_CONFIG),
    errors.ExperimentNotFoundError: (_Code.NOT_FOUND, _Reason.ERROR_REASON_EXPERIMENT_NOT_FOUND),
    errors.TrialNotFoundError: (_Code.NOT_FOUND, _Reason.ERROR_REASON_TRIAL_NOT_FOUND),
    errors.FileMissingError: (_Code.NOT_FOUND, _Reason.ERROR_REASON_FILE_NOT_FOUND),
    errors.JobNotFoundError: (_Code.NOT_FOUND, _Reason.ERROR_REASON_JOB_NOT_FOUND),
    errors.ExperimentAlreadyExistsError: (
        _Code.ALREADY_EXISTS,
        _Reason.ERROR_REASON_EXPERIMENT_ALREADY_EXISTS,
    ),
    errors.WrongExperimentStatusError: (
        _Code.FAILED_PRECONDITION,
        _Reason.ERROR_REASON_WRONG_EXPERIMENT_STATUS,
    ),
    errors.AlgorithmRefusedError: (_Code.FAILED_PRECONDITION, _Reason.ERROR_REASON_ALGORITHM_REFUSED),
    errors.StorageFailedError: (_Code.RESOURCE_EXHAUSTED, _Reason.ERROR_REASON_STORAGE_FAILED),
    errors.ShuttingDownError: (_Code.UNAVAILABLE, _Reason.ERROR_REASON_SHUTTING_DOWN),
    UnauthenticatedError: (_Code.UNAUTHENTICATED, _Reason.ERROR_REASON_UNAUTHENTICATED),
    PermissionDeniedError: (_Code.PERMISSION_DENIED, _Reason.ERROR_REASON_PERMISSION_DENIED),
}
"""Every error that a caller can cause or has to know; anything else is a fault of the manager."""

# A client drops answers whose metadata is above 8 KiB; the text travels twice in it.
_MESSAGE_BUDGET = 6000


@dataclass(frozen=True, slots=True)
class CallFailure:
    """What the caller of a failed call is told.

    Attributes:
        code: The gRPC code.
        reason: The name of the ErrorReason without its prefix.
        message: One text for a person.
    """

    code: grpc.StatusCode
    reason: str
    message: str

    def error_info(self) -> error_details_pb2.ErrorInfo:
        """Returns the failure's one detail."""
        return error_details_pb2.ErrorInfo(reason=self.reason, domain=ERROR_DOMAIN)

    def status(self) -> status_pb2.Status:
        """Returns the failure as google.rpc.Status, its text cut to what fits in metadata."""
        detail = AnyMessage()
        detail.Pack(self.error_info())
        code: int = self.code.value[0]
        return status_pb2.Status(code=code, message=_cut(self.message), details=[detail])


def describe(error: Exception, path: str) -> CallFailure:
    """Returns what the caller is told about an error; what the table lacks is logged with its cause.

    Args:
        error: What the call raised.
        path: The call, /package.Service/Method.
    """
    for kind in type(error).__mro__:
        if kind in ERROR_TABLE:
            code, reason = ERROR_TABLE[kind]
            return CallFailure(code, _reason_name(reason), str(error))
    _LOGGER.error("%s failed", path, exc_info=error)
    return CallFailure(
        grpc.StatusCode.INTERNAL,
        _reason_name(_Reason.ERROR_REASON_INTERNAL),
        "the manager failed to answer; its log/nnimanager.log has the cause",
    )


def _reason_name(reason: error_reason_pb2.ErrorReason.ValueType) -> str:
    return error_reason_pb2.ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


def _cut(message: str) -> str:
    if _cost(message) <= _MESSAGE_BUDGET:
        return message
    low, high = 0, len(message)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _cost(message[:middle]) <= _MESSAGE_BUDGET else (low, middle - 1)
    return f"{message[:low]} ... ({len(message) - low} more characters)"


def _cost(text: str) -> int:
    return len(quote(text, safe=" !#$&'()*+,/:;=?@[]\"")) + len(text.encode("utf-8", "replace")) * 4 // 3
