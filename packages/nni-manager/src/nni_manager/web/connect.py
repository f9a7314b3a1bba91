"""The forms of the Connect protocol that the manager speaks: unary and server streams, with JSON bodies.

See https://connectrpc.com/docs/protocol.
"""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.rpc.errors import CallFailure

UNARY_TYPE = "application/json"
"""The content type of a call and its answer."""

STREAM_TYPE = "application/connect+json"
"""The content type of a streaming call and its answers."""

HTTP_STATUS = {
    "canceled": 499,
    "unknown": 500,
    "invalid_argument": 400,
    "deadline_exceeded": 504,
    "not_found": 404,
    "already_exists": 409,
    "permission_denied": 403,
    "resource_exhausted": 429,
    "failed_precondition": 400,
    "aborted": 409,
    "out_of_range": 400,
    "unimplemented": 501,
    "internal": 500,
    "unavailable": 503,
    "data_loss": 500,
    "unauthenticated": 401,
}
"""The HTTP status of each code."""

_ENVELOPE = struct.Struct(">BI")
_END_OF_STREAM = 2
# Each of the 30 levels that a value may have takes three messages.
_MOST_NESTED_MESSAGES = 200


def parse(text: bytes, message: Message) -> Message:
    """Fills a message from its JSON form.

    Raises:
        InvalidArgumentError: The text is not the message's JSON form.
    """
    text = text.strip() or b"{}"
    try:
        if not text.startswith(b"{"):
            raise ValueError("it does not begin with {")
        json_format.Parse(text, message, max_recursion_depth=_MOST_NESTED_MESSAGES)
    except (json_format.ParseError, ValueError, TypeError, RecursionError) as error:
        raise InvalidArgumentError(f"the body is not a {message.DESCRIPTOR.name} in JSON: {error}") from error
    return message


def written(message: Message) -> bytes:
    """Returns the JSON form of a message."""
    form = json_format.MessageToDict(message)
    return json.dumps(form, ensure_ascii=False, separators=(",", ":")).encode()


def error_code(failure: CallFailure) -> str:
    """Returns the protocol's name of a failure's code."""
    name = failure.code.name.lower()
    return "canceled" if name == "cancelled" else name


def error_body(failure: CallFailure) -> dict[str, Any]:
    """Returns a failure as the protocol writes it."""
    info = failure.error_info()
    detail = {
        "type": info.DESCRIPTOR.full_name,
        "value": base64.b64encode(info.SerializeToString()).decode().rstrip("="),
        "debug": json_format.MessageToDict(info),
    }
    return {"code": error_code(failure), "message": failure.message, "details": [detail]}


def enveloped(text: bytes) -> bytes:
    """Returns one message of a stream."""
    return _ENVELOPE.pack(0, len(text)) + text


def end_of_stream(failure: CallFailure | None) -> bytes:
    """Returns the end of a stream."""
    text = json.dumps({} if failure is None else {"error": error_body(failure)}).encode()
    return _ENVELOPE.pack(_END_OF_STREAM, len(text)) + text


def only_message(body: bytes) -> bytes:
    """Returns the one message in the body of a streaming call.

    Raises:
        InvalidArgumentError: The body is not exactly one uncompressed message.
    """
    if len(body) < _ENVELOPE.size:
        raise InvalidArgumentError("the body is shorter than the five bytes before a message")
    flags, length = _ENVELOPE.unpack_from(body)
    if flags:
        raise InvalidArgumentError(f"the message has flags {flags}; compressed messages are not accepted")
    if len(body) != _ENVELOPE.size + length:
        raise InvalidArgumentError(
            f"the body announces a message of {length} bytes and has {len(body) - _ENVELOPE.size}"
        )
    return body[_ENVELOPE.size :]
