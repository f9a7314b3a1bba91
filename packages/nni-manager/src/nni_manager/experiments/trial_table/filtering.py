"""Finds the trials of a table that a filter holds for.

A comparison holds for no trial without a value. A number and a text are never equal, and neither is below the
other. NaN equals only `nan`, and is below and above nothing.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

import numpy as np
from nni_config.durations import parse_duration

from nni_manager.engine.statuses import ParameterSource, TrialStatus
from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.experiments.trial_table.cells import NO_VALUE, NUMBER, Cells, Mask
from nni_manager.experiments.trial_table.expressions import (
    Comparison,
    Conjunction,
    Expression,
    Literal,
    Membership,
    Name,
    Negation,
    Presence,
)
from nni_manager.experiments.trial_table.names import TRIAL_COLUMNS, ColumnKey, Kind, Source
from nni_manager.experiments.trial_table.table import TrialTable

_ORDERED: Mapping[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WORDS: Mapping[str, tuple[str, ...]] = {
    "status": tuple(status.value for status in TrialStatus),
    "source": tuple(source.value for source in ParameterSource),
}


def matching(table: TrialTable, expression: Expression | None) -> Mask:
    """Returns which trials of a table a filter holds for.

    Raises:
        InvalidArgumentError: The filter names a column or a value that there is not.
    """
    if expression is None:
        return np.ones(table.size, dtype=np.bool_)
    if isinstance(expression, Comparison):
        key = _column(table, expression.name)
        return _compared(table.cells(key), expression.operator, _meant(key, expression))
    if isinstance(expression, Membership):
        key = _column(table, expression.name)
        cells = table.cells(key)
        found = _joined(
            np.logical_or, [_equal(cells, _meant_value(key, value)) for value in expression.values]
        )
        return _but_not(_present(cells), found) if expression.is_negated else found
    if isinstance(expression, Presence):
        return _present(table.cells(_column(table, expression.name)))
    if isinstance(expression, Negation):
        return ~matching(table, expression.operand)
    masks = [matching(table, operand) for operand in expression.operands]
    return _joined(np.logical_and if isinstance(expression, Conjunction) else np.logical_or, masks)


def _but_not(mask: Mask, other: Mask) -> Mask:
    return _joined(np.logical_and, [mask, ~other])


def _joined(join: np.ufunc, masks: list[Mask]) -> Mask:
    joined: Mask = join.reduce(masks)
    return joined


def _column(table: TrialTable, name: Name) -> ColumnKey:
    return table.column(name.text, f"filter: character {name.position}")


def _present(cells: Cells) -> Mask:
    present: Mask = cells.kinds != NO_VALUE
    return present


def _compared(cells: Cells, symbol: str, value: Literal) -> Mask:
    if symbol == "=":
        return _equal(cells, value)
    if symbol == "!=":
        return _but_not(_present(cells), _equal(cells, value))
    if symbol == "~":
        return _containing(cells, value.text)
    compare = _ORDERED[symbol]
    if value.number is not None:
        found: Mask = compare(cells.numbers, value.number)
        return found
    return _of_texts(cells, [bool(compare(text, value.text)) for text in cells.texts])


def _equal(cells: Cells, value: Literal) -> Mask:
    if value.number is None:
        return _of_texts(cells, [text == value.text for text in cells.texts])
    if math.isnan(value.number):
        return _joined(np.logical_and, [cells.kinds == NUMBER, np.isnan(cells.numbers)])
    found: Mask = cells.numbers == value.number
    return found


def _containing(cells: Cells, part: str) -> Mask:
    wanted = part.casefold()
    texts, codes = cells.all_texts()
    found = np.array([wanted in text.casefold() for text in texts] + [False], dtype=np.bool_)
    return found[codes]


def _of_texts(cells: Cells, found: list[bool]) -> Mask:
    """Returns which cells have one of the texts found; -1, which stands for no text, is the last place."""
    return np.array([*found, False], dtype=np.bool_)[cells.codes]


def _meant(key: ColumnKey, comparison: Comparison) -> Literal:
    return comparison.value if comparison.operator == "~" else _meant_value(key, comparison.value)


def _meant_value(key: ColumnKey, value: Literal) -> Literal:
    """Returns a value as the column has it: times and durations as numbers, statuses in capitals."""
    if key.source is not Source.TRIAL:
        return value
    if key.path in _WORDS:
        return _word(key.path, value)
    kind = TRIAL_COLUMNS[key.path]
    if kind is Kind.TEXT or value.number is not None:
        return Literal(value.text, None, value.position) if kind is Kind.TEXT else value
    if kind is Kind.TIME:
        return Literal(value.text, _time(key.path, value), value.position)
    if kind is Kind.DURATION:
        return Literal(value.text, _duration(key.path, value), value.position)
    raise _refused(key.path, value, "a number")


def _word(name: str, value: Literal) -> Literal:
    text = value.text.upper()
    if text not in _WORDS[name]:
        raise _refused(name, value, ", ".join(_WORDS[name]))
    return Literal(text, None, value.position)


def _time(name: str, value: Literal) -> float:
    try:
        time = datetime.fromisoformat(value.text.removesuffix("Z"))
    except ValueError as error:
        raise _refused(
            name, value, "a time in UTC such as 2026-01-31T18:30, or seconds since 1970"
        ) from error
    return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).timestamp()


def _duration(name: str, value: Literal) -> float:
    try:
        return parse_duration(value.text)
    except ValueError as error:
        raise _refused(name, value, "seconds, or a number with a unit such as 90m or 1.5h") from error


def _refused(name: str, value: Literal, allowed: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"filter: character {value.position}: {name} is never {value.text!r}; allowed is {allowed}"
    )
