"""Seconds since 1970 to and from the protocol's times."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(seconds: float) -> Timestamp:
    """Returns a time, exact to the microsecond."""
    message = Timestamp()
    message.FromMicroseconds(round(seconds * 1e6))
    return message


def optional_timestamp(seconds: float | None) -> Timestamp | None:
    """Returns a time that may be unknown; None leaves a message's field unset."""
    return None if seconds is None else timestamp(seconds)


def seconds_since_1970(message: Timestamp) -> float:
    """Returns a time in seconds."""
    return message.ToMicroseconds() / 1e6


def duration(seconds: float) -> Duration:
    """Returns a duration, exact to the microsecond."""
    message = Duration()
    message.FromMicroseconds(round(seconds * 1e6))
    return message
