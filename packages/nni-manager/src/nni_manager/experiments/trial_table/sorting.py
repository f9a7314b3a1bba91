"""Sorts the trials of a table, and finds where a page goes on.

Numbers come before texts, and trials without a value come last in both directions. Trials that are equal in
all columns come by number.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import total_ordering
from typing import Any

import numpy as np

from nni_manager.experiments.trial_table.cells import TEXT, Cells, Indexes
from nni_manager.experiments.trial_table.expressions import OrderTerm
from nni_manager.experiments.trial_table.query import Position
from nni_manager.experiments.trial_table.table import TrialTable

_MISSING_GROUP = 2


class Sorter:
    """Sorts the trials of one table in one order."""

    def __init__(self, table: TrialTable, terms: Sequence[OrderTerm]) -> None:
        """Makes a sorter.

        Raises:
            InvalidArgumentError: There is no column of a name.
        """
        self._table = table
        self._descending = [term.is_descending for term in terms]
        self._columns = [
            table.cells(table.column(term.name.text, f"order_by: character {term.name.position}"))
            for term in terms
        ]

    def sorted(self, rows: Indexes) -> Indexes:
        """Returns rows, given by rising number, in order."""
        keys: list[Any] = []
        for cells, descending in zip(self._columns, self._descending, strict=True):
            keys += _sort_keys(cells, rows, descending)
        return rows[np.lexsort(keys[::-1])] if keys else rows

    def position(self, row: int) -> Position:
        """Returns the position of a row."""
        return [*(cells.sort_value(row) for cells in self._columns), self._table.numbers[row]]

    def start_after(self, ordered: Indexes, position: Position) -> int:
        """Returns how many of some ordered rows do not come after a position."""
        return bisect_right(ordered, self._key(position), key=lambda row: self._key(self.position(int(row))))

    def is_position(self, value: Any) -> bool:
        """Returns whether something could be a position in this order."""
        return (
            isinstance(value, list)
            and len(value) == len(self._columns) + 1
            and type(value[-1]) is int
            and all(part is None or type(part) in (float, int, str) for part in value)
        )

    def _key(self, position: Position) -> tuple[Any, ...]:
        directed = zip(position, self._descending, strict=False)
        return (*(_directed(value, descending) for value, descending in directed), position[-1])


def _sort_keys(cells: Cells, rows: Indexes, descending: bool) -> list[Any]:
    """Returns the arrays that one column is sorted by: texts or not, then what within them."""
    is_text = cells.kinds[rows] == TEXT
    missing = np.isnan(cells.numbers[rows]) & ~is_text
    values = np.where(is_text, cells.codes[rows], np.where(missing, 0.0, cells.numbers[rows]))
    group = np.where(missing, _MISSING_GROUP, is_text != descending)
    return [group, -values if descending else values]


def _directed(value: float | str | None, descending: bool) -> tuple[int, Any]:
    if value is None:
        return _MISSING_GROUP, 0.0
    if isinstance(value, str):
        return int(not descending), _Backwards(value) if descending else value
    return int(descending), -value if descending else value


@total_ordering
class _Backwards:
    """A text that sorts the other way round."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Backwards) and self.text == other.text

    def __lt__(self, other: _Backwards) -> bool:
        return self.text > other.text

    __hash__ = None  # type: ignore[assignment]
