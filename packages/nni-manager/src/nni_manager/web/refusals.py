"""What a request gets that is refused: the same JSON as a failed call, whatever the reason."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import grpc
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from nni_manager.rpc.errors import CallFailure
from nni_manager.web import connect

_CODES = {
    HTTPStatus.NOT_FOUND: grpc.StatusCode.UNIMPLEMENTED,
    HTTPStatus.METHOD_NOT_ALLOWED: grpc.StatusCode.UNIMPLEMENTED,
}


def refused(
    failure: CallFailure, status: int | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Returns the answer to a request that is refused.

    Args:
        failure: Why.
        status: The HTTP status; None for that of the failure's code.
        headers: Headers of the answer.
    """
    code = connect.HTTP_STATUS[connect.error_code(failure)] if status is None else status
    return JSONResponse(connect.error_body(failure), code, headers)


async def refused_by_http(request: Request, error: Exception) -> JSONResponse:
    """Returns the answer to a request that HTTP itself has an error for, such as 404.

    Args:
        request: The request.
        error: The HTTPException; its detail is shown when it says more than the status.
    """
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    text = error.detail
    if text == status.phrase:
        text = f"{request.method} {request.url.path}: {text.lower()}"
        allowed = (error.headers or {}).get("Allow")
        text += f"; allowed is {allowed}" if allowed else ""
    code = _CODES.get(status, grpc.StatusCode.INVALID_ARGUMENT)
    return refused(CallFailure(code, "INVALID_ARGUMENT", text), status, error.headers)
