"""How values are kept: as JSON text with Python's NaN, Infinity and -Infinity."""

from __future__ import annotations

import json
import math
from typing import Any

DEFAULT_KEY = "default"
"""The key under which a result that is a bare number is charted."""

_encode_any = json.JSONEncoder(separators=(",", ":")).encode


def encode(value: Any) -> str:
    """Returns a value as text that is ASCII only, so that unpaired surrogates survive too."""
    if type(value) is float and math.isfinite(value):
        return repr(value)  # What the encoder does too, in a quarter of the time: most results are numbers.
    return _encode_any(value)


_decode_first = json.JSONDecoder().raw_decode


def decode(text: str) -> Any:
    """Returns the value of a text that `encode` made: without white space around it, which saves time."""
    return _decode_first(text)[0]


def copied(value: Any) -> Any:
    """Returns a copy of a JSON value as reading it from a file would."""
    return decode(encode(value))


def numeric_entries(value: Any) -> list[tuple[str, float | None, str]]:
    """Returns what of a result can be charted: (key, number, kind) of each numeric entry.

    The kind is "number", or "nan", "inf" or "-inf" with None for the number. Booleans are no
    numbers, and what is nested is left out, as are integers that no double can hold.
    """
    if isinstance(value, dict):
        entries = (_entry(key, number) for key, number in value.items() if _is_text(key))
        return [entry for entry in entries if entry is not None]
    entry = _entry(DEFAULT_KEY, value)
    return [] if entry is None else [entry]


def number_at(value: Any, key: str) -> float:
    """Returns the number of an entry of a result, NaN when it is missing or no number.

    Args:
        value: The result.
        key: The entry, "default" for a result that is a number; dots lead into objects.
    """
    if not isinstance(value, dict):
        entry = _entry(key, value) if key == DEFAULT_KEY else None
    elif key in value or "." not in key:
        entry = _entry(key, value.get(key))
    else:
        inner, _, rest = key.partition(".")
        return number_at(value[inner], rest) if isinstance(value.get(inner), dict) else math.nan
    if entry is None:
        return math.nan
    _, number, kind = entry
    return float(kind) if number is None else number


def _entry(key: str, value: Any) -> tuple[str, float | None, str] | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    if math.isfinite(number):
        return key, number, "number"
    return key, None, str(number)


def _is_text(key: str) -> bool:
    """Whether a column of text can hold a key: unpaired surrogates have no UTF-8 form."""
    return key.isascii() or not any("\ud800" <= character <= "\udfff" for character in key)
