"""Cells of the table: what one trial has in its columns, and one column of all trials."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Indexes = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]

MISSING: Any = object()
"""Stands for a cell without a value; None is the value null."""

NO_VALUE, NUMBER, TEXT = 0, 1, 2
"""The kinds of cells. Booleans, null and lists count as the text that JSON writes for them."""


def flattened(value: Any, root: str) -> Mapping[str, Any]:
    """Returns the leaves of a value by their paths, which join keys by dots; lists are leaves.

    Args:
        value: Any JSON value.
        root: The path of a value that is no object.
    """
    if not isinstance(value, dict):
        return {root: value}
    if dict not in set(map(type, value.values())) and "".join(value).isascii():
        return value
    leaves: dict[str, Any] = {}
    _add_leaves(leaves, "", value)
    return leaves


def _add_leaves(leaves: dict[str, Any], prefix: str, value: dict[str, Any]) -> None:
    for key, element in value.items():
        path = prefix + (key if key.isascii() else presentable(key))
        if isinstance(element, dict) and element:
            _add_leaves(leaves, f"{path}.", element)
        else:
            leaves[path] = element


def presentable(text: str) -> str:
    """Returns a text with escapes for unpaired surrogates, which messages cannot hold."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def is_number(value: Any) -> bool:
    """Returns whether a value is a number; booleans are none, nor are integers that no double can hold."""
    if type(value) is float:
        return True
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def text_of(value: Any) -> str:
    """Returns a value as text."""
    if isinstance(value, str):
        return presentable(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return presentable(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


@dataclass(frozen=True, slots=True)
class Cells:
    """One column of all trials, in the order of their numbers.

    Attributes:
        kinds: NO_VALUE, NUMBER or TEXT of each cell.
        numbers: The number in each cell; NaN where there is none.
        codes: Which of `texts` each cell has, -1 where it has no text.
        texts: The different texts, sorted.
    """

    kinds: npt.NDArray[np.int8]
    numbers: Numbers
    codes: Indexes
    texts: tuple[str, ...]

    def sort_value(self, row: int) -> float | str | None:
        """Returns what a trial is sorted by, None when that is nothing: NaN counts as missing."""
        if self.kinds[row] == TEXT:
            text: str = self.texts[self.codes[row]]
            return text
        number = float(self.numbers[row])
        return None if math.isnan(number) else number

    def all_texts(self) -> tuple[tuple[str, ...], Indexes]:
        """Returns the different values as text, and which of them each cell has, -1 for none."""
        numbers = np.flatnonzero(self.kinds == NUMBER)
        different, inverse = np.unique(self.numbers[numbers], return_inverse=True)
        codes = self.codes.copy()
        codes[numbers] = inverse + len(self.texts)
        return self.texts + tuple(text_of(float(number)) for number in different), codes


def cells_of(values: Sequence[Any]) -> Cells:
    """Returns the column of values, MISSING where there is none."""
    types = set(map(type, values)) - {type(MISSING)}
    if types <= {float, int}:
        try:
            numbers = np.array([math.nan if it is MISSING else it for it in values], dtype=np.float64)
        except OverflowError:
            pass  # An integer that no double can hold counts as text.
        else:
            present = np.array([it is not MISSING for it in values], dtype=np.bool_)
            return cells_of_numbers(numbers, present)
    kinds = np.zeros(len(values), dtype=np.int8)
    numbers = np.full(len(values), np.nan)
    texts: dict[int, str] = {}
    for row, value in enumerate(values):
        if value is MISSING:
            continue
        if type(value) is not str and is_number(value):
            kinds[row], numbers[row] = NUMBER, value
        else:
            texts[row] = text_of(value)
    rows = np.fromiter(texts, dtype=np.intp, count=len(texts))
    kinds[rows] = TEXT
    different = sorted(set(texts.values()))
    places = {text: place for place, text in enumerate(different)}
    codes = np.full(len(values), -1, dtype=np.intp)
    codes[rows] = [places[text] for text in texts.values()]
    return Cells(kinds, numbers, codes, tuple(different))


def cells_of_numbers(numbers: Numbers, present: Mask) -> Cells:
    """Returns the column of numbers, of which only those present count."""
    kinds = np.where(present, NUMBER, NO_VALUE).astype(np.int8)
    return Cells(kinds, np.where(present, numbers, np.nan), np.full(len(numbers), -1, dtype=np.intp), ())
