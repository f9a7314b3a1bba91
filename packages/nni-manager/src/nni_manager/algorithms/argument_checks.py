"""What the arguments of algorithms may be."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Check = Callable[[Any], str]
"""Returns what is expected of a value, or "" when it is that."""

_LARGEST_INTEGER = 2**63 - 1
"""The largest one that reaches an algorithm as it is."""


def argument_problems(place: str, arguments: Mapping[str, Check], given: Mapping[str, Any]) -> list[str]:
    """Returns what is wrong with arguments.

    Args:
        place: What the texts begin with.
        arguments: What each argument has to be.
        given: The arguments.
    """
    problems = []
    for name, value in given.items():
        if name not in arguments:
            allowed = ", ".join(arguments)
            problems.append(f"{place}: unknown argument {name!r}; it takes {allowed}")
            continue
        check = arguments[name]
        expected = check(value)
        if isinstance(check, Table) and isinstance(value, dict):
            problems += argument_problems(f"{place}: {name}", check.entries, value)
        elif expected:
            problems.append(f"{place}: {name} is {value!r}; it should be {expected}")
    return problems


def one_of(*allowed: Any) -> Check:
    """Returns the check of a value that is one of a few."""
    text = ", ".join("null" if value is None else repr(value) for value in allowed)
    return lambda value: (
        "" if any(value is a or (a is not None and value == a) for a in allowed) else f"one of {text}"
    )


def number(kind: type, low: float, high: float = float("inf"), *, optional: bool = False) -> Check:
    """Returns the check of a number, which has to be finite and an integer of 64 bits if it is one.

    Args:
        kind: int or float; integers are numbers for float.
        low: The least it may be.
        high: The most it may be.
        optional: Whether None is allowed too.
    """
    noun = "an integer" if kind is int else "a number"
    limits = f"{noun} of at least {low}" if high == float("inf") else f"{noun} from {low} to {high}"
    expected = f"{limits}, or null" if optional else limits
    types = (int,) if kind is int else (int, float)

    def check(value: Any) -> str:
        if value is None and optional:
            return ""
        if not isinstance(value, types) or isinstance(value, bool) or not low <= value <= high:
            return expected
        if isinstance(value, int) and value > _LARGEST_INTEGER:
            return f"{noun} from {low} to {_LARGEST_INTEGER}"
        return "" if math.isfinite(value) else f"a finite number of at least {low}"

    return check


@dataclass(frozen=True)
class Table:
    """The check of an object with these entries, none of which is needed; None is allowed too.

    Attributes:
        entries: What each entry has to be.
    """

    entries: Mapping[str, Check]

    def __call__(self, value: Any) -> str:
        """Returns what is expected; `argument_problems` names the entry."""
        right = value is None or (isinstance(value, dict) and not argument_problems("", self.entries, value))
        return "" if right else f"an object with {', '.join(self.entries)}"


def boolean(value: Any) -> str:
    """Is the check of True or False."""
    return "" if isinstance(value, bool) else "true or false"


def text(*, optional: bool = False) -> Check:
    """Returns the check of a text that is not empty."""
    expected = "a text that is not empty, or null" if optional else "a text that is not empty"

    def check(value: Any) -> str:
        if value is None and optional:
            return ""
        return "" if isinstance(value, str) and value else expected

    return check


def folder_or_none(value: Any) -> str:
    """Is the check of None or a folder that is there or can be made."""
    expected = "the absolute path of a folder that is there or can be made, or null"
    if value is None:
        return ""
    if not isinstance(value, str) or not Path(value).expanduser().is_absolute():
        return expected
    path = Path(value).expanduser()
    nearest = next((each for each in (path, *path.parents) if os.path.lexists(each)), path)
    return "" if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK) else expected
