"""Turns values into plain JSON types at the boundary, so that nothing behind it meets numpy."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from nni_config.names import PathStep, path_text, short

MAX_DEPTH = 30
"""How deep lists and objects may be nested."""


class NotPlainError(ValueError):
    """A value holds something that JSON cannot.

    Attributes:
        path: The way to it.
        message: What it is, and what is allowed.
    """

    def __init__(self, path: tuple[PathStep, ...], message: str) -> None:
        super().__init__(path, message)
        self.path = path
        self.message = message

    def __str__(self) -> str:
        return f"{path_text(self.path)}: {self.message}" if self.path else self.message


def plain_value(value: Any) -> Any:
    """Returns a deep copy of a value in plain JSON types.

    Arrays and scalars of numpy and the like, tuples, ranges, paths and enum members are converted.

    Raises:
        NotPlainError: It holds what JSON cannot, an integer beyond 64 bits, text that is not valid
            Unicode, or it is nested more than 30 levels deep. The text says where.
    """
    return _plain(value, [])


def plain_scalar(value: Any) -> Any:
    """Returns the Python number of a numpy scalar or of a member of an enum; other values as they are."""
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "dtype") and hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    return value


def _plain(value: Any, path: list[PathStep]) -> Any:
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return value
    if kind is str:
        return value if value.isascii() else _checked_text(value, path)
    if kind is int:
        if not -(2**63) <= value < 2**63:
            raise NotPlainError(tuple(path), f"{short(value)} does not fit in 64 bits")
        return value
    if kind is list or isinstance(value, (list, tuple, range)):
        return _plain_list(value, path)
    if kind is dict or isinstance(value, Mapping):
        return _plain_object(value, path)
    return _plain(_converted(value, path), path)


def _plain_list(value: Sequence[Any], path: list[PathStep]) -> list[Any]:
    _check_depth(path)
    result = []
    path.append(0)
    for index, element in enumerate(value):
        path[-1] = index
        result.append(_plain(element, path))
    path.pop()
    return result


def _plain_object(value: Mapping[Any, Any], path: list[PathStep]) -> dict[str, Any]:
    _check_depth(path)
    result = {}
    path.append("")
    for key, element in value.items():
        if not isinstance(key, str):
            path.pop()
            raise NotPlainError(tuple(path), f"the key {short(key)} is not text; a key in quotes is allowed")
        path[-1] = key
        # Text is checked with the path of the object that it is a key of.
        name = key if type(key) is str and key.isascii() else _checked_text(str(key), path[:-1])
        result[name] = _plain(element, path)
    path.pop()
    return result


def _converted(value: Any, path: list[PathStep]) -> Any:
    """Returns an unusual value one step nearer to a plain one."""
    if isinstance(value, Enum):
        return value.value
    for plain_type in (bool, int, float, str):
        if isinstance(value, plain_type):
            # The methods of the plain type itself: a subclass may print in its own way.
            return plain_type.__str__(value) if plain_type is str else plain_type(value)
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        converted = value.tolist()
        if type(converted) is not type(value):
            return converted
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    allowed = "allowed are null, true, false, numbers, text, lists and objects"
    raise NotPlainError(tuple(path), f"{short(value)} ({type(value).__name__}) is not JSON; {allowed}")


def _check_depth(path: list[PathStep]) -> None:
    if len(path) >= MAX_DEPTH:
        raise NotPlainError(tuple(path[:3]), f"it is nested more than {MAX_DEPTH} levels deep")


def _checked_text(text: str, path: list[PathStep]) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise NotPlainError(tuple(path), f"{short(text)} is not valid Unicode text") from None
    return text
