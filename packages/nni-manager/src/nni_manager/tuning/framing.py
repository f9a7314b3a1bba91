"""The form of messages on the socket: each behind its length as four bytes, most significant first."""

from __future__ import annotations

import struct
from typing import Protocol

HEADER_SIZE = 4
MAX_MESSAGE_SIZE = 64 * 1024 * 1024
"""The size of the largest message, in bytes."""

_HEADER = struct.Struct(">I")


class Message(Protocol):
    """What is needed of a protobuf message."""

    def SerializeToString(self) -> bytes:  # noqa: N802
        """Returns the message as bytes."""


def body_of(message: Message) -> bytes:
    """Returns a message as bytes.

    Raises:
        ValueError: The message is too large.
    """
    body = message.SerializeToString()
    if len(body) > MAX_MESSAGE_SIZE:
        raise ValueError(f"a message of {len(body)} bytes is larger than the {MAX_MESSAGE_SIZE} allowed")
    return body


def framed(body: bytes) -> bytes:
    """Returns a message's bytes as they go on the socket."""
    return _HEADER.pack(len(body)) + body


def frame(message: Message) -> bytes:
    """Returns a message as it goes on the socket.

    Raises:
        ValueError: The message is too large.
    """
    return framed(body_of(message))


def body_size(header: bytes) -> int:
    """Returns the size in bytes of the message behind a header.

    Raises:
        ValueError: The message is too large.
    """
    (size,) = _HEADER.unpack(header)
    if size > MAX_MESSAGE_SIZE:
        raise ValueError(f"a message of {size} bytes is larger than the {MAX_MESSAGE_SIZE} allowed")
    return int(size)
