"""Pages of lists: sizes, opaque tokens, and pages that fit in a message."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from typing import Any, TypeVar

from google.protobuf.message import Message

from nni_manager.experiments.errors import InvalidArgumentError

MESSAGE_LIMIT = 64 * 1024 * 1024
"""The largest message, in bytes, both ways and on both transports."""

PAGE_LIMIT = MESSAGE_LIMIT // 4
"""A page is cut when it has this many bytes, so that it always fits in a message."""

_MessageT = TypeVar("_MessageT", bound=Message)


def page_size(requested: int, default: int, maximum: int) -> int:
    """Returns how many elements a page may have.

    Raises:
        InvalidArgumentError: The requested size is below 0.
    """
    if requested < 0:
        raise InvalidArgumentError(f"page_size: {requested} is below 0")
    return min(requested or default, maximum)


def page_token(listing: str, position: Any) -> str:
    """Returns the token that asks for what follows a position.

    Args:
        listing: Everything that the listing depends on; the token is good for the same one only.
        position: What says where the last element returned stands, in types of JSON.
    """
    return base64.urlsafe_b64encode(json.dumps([listing, position]).encode()).decode()


def page_position(token: str, listing: str, start: int) -> int:
    """Returns the position in a token, `start` for an empty one.

    Raises:
        InvalidArgumentError: The token is not one of this listing.
    """
    if not token:
        return start
    position = any_position(token, listing)
    if type(position) is not int or not start <= position < 2**63:
        raise _foreign_token()
    return position


def any_position(token: str, listing: str) -> Any:
    """Returns the position in a token that is not empty, of whatever type it is.

    Raises:
        InvalidArgumentError: The token is not one of this listing.
    """
    try:
        found, position = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        found, position = None, None
    if found != listing or position is None:
        raise _foreign_token()
    return position


def _foreign_token() -> InvalidArgumentError:
    return InvalidArgumentError("page_token: not a next_page_token of this list with these arguments")


def fitting(messages: Iterable[_MessageT]) -> list[_MessageT]:
    """Returns the first messages, at least one, that together fit on a page."""
    page: list[_MessageT] = []
    size = 0
    for message in messages:
        size += message.ByteSize()
        if page and size > PAGE_LIMIT:
            break
        page.append(message)
    return page
