"""How cells and column names of an exported table are written, so that they are read back as they were.

A text is written as it is, any other value (a number, true, null, NaN, Infinity, a list, an empty object) as
JSON. A text that would be read as something else, that has characters one cannot see, or that a spreadsheet
would take for a formula, is written as JSON too, in quotation marks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

_FORMULA = ("=", "+", "-", "@")

_decoder = json.JSONDecoder()


def cell_of(value: Any) -> str:
    """Returns the cell of a value."""
    text = _quoted(value)
    if isinstance(value, str) and _is_plain(value) and value_of(value) == value:
        return value
    return text


def value_of(cell: str) -> Any:
    """Returns the value of a cell that is not empty."""
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def column_of(path: Sequence[str], reserved: frozenset[str] = frozenset()) -> str:
    """Returns the name of a column.

    Args:
        path: The keys that lead to its values, joined by dots in the name. One that has a dot or could be
            misread is written as JSON, in quotation marks.
        reserved: What the name must not begin with unless in quotation marks.
    """
    first = [_quoted(path[0]) if path[0] in reserved else _key(path[0])]
    return ".".join(first + [_key(key) for key in path[1:]])


def path_of(column: str) -> tuple[str, ...]:
    """Returns the keys in a column's name.

    Raises:
        ValueError: The name is malformed.
    """
    return tuple(_keys(column))


def _keys(column: str) -> Iterator[str]:
    rest = column
    while True:
        if rest.startswith('"'):
            key, end = _decoder.raw_decode(rest)
            if end < len(rest) and rest[end] != ".":
                raise ValueError("a dot or the end must follow the quotation marks")
        else:
            key, _, _ = rest.partition(".")
            end = len(key)
        yield str(key)
        if end == len(rest):
            return
        rest = rest[end + 1 :]


def _key(key: str) -> str:
    return key if _is_plain(key) and "." not in key and not key.startswith('"') else _quoted(key)


def _is_plain(text: str) -> bool:
    return text.isprintable() and text == text.strip() and text != "" and not text.startswith(_FORMULA)


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
