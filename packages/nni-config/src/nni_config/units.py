"""Text with units as NNI reads it: "1.5h", "8gb"."""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*")
_TIMES = {"d": 24 * 3600, "h": 3600, "m": 60, "s": 1}
_SIZES = {"tb": 1024**4, "gb": 1024**3, "mb": 1024**2, "kb": 1024, "b": 1}


def parse_time(value: str | int | float) -> int | float:
    """Returns a duration in seconds, text rounded up to whole seconds and numbers as they are.

    Raises:
        ValueError: The text is no number with one of the units d, h, m, s.
    """
    return _parsed(value, "s", _TIMES)


def parse_memory_size(value: str | int | float) -> int | float:
    """Returns a size in mebibytes, text rounded up to whole ones and numbers as they are.

    Raises:
        ValueError: The text is no number with one of the units tb, gb, mb, kb, b.
    """
    return _parsed(value, "mb", _SIZES)


def _parsed(value: str | int | float, target: str, units: dict[str, int]) -> int | float:
    if not isinstance(value, str):
        return value
    text = value.lower().rstrip()
    for unit, factor in units.items():
        if text.endswith(unit):
            number = text.removesuffix(unit)
            if not _NUMBER.fullmatch(number):
                raise ValueError(f'"{value}" is no number with a unit; supported units are {_names(units)}')
            amount = float(number) * factor / units[target]
            if not math.isfinite(amount):
                raise ValueError(f'"{value}" is too large')
            return math.ceil(amount)
    raise ValueError(f'Bad unit in "{value}", supported units are {_names(units)}')


def _names(units: dict[str, int]) -> str:
    return ", ".join(units)
