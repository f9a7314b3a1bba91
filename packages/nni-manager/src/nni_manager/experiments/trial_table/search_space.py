"""The columns that a search space has parameters for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nni_config.search_space_types import PARAMETER_TYPES

from nni_manager.experiments.trial_table.cells import is_number, presentable
from nni_manager.experiments.trial_table.names import ColumnKey, Kind, Source

_NAME, _TYPE, _VALUE = "_name", "_type", "_value"
_LOGARITHMIC = ("loguniform", "qloguniform", "lognormal", "qlognormal")


@dataclass(frozen=True, slots=True)
class SpaceColumn:
    """A parameter of a search space.

    Attributes:
        key: Its column.
        kind: What its values are.
        logarithmic: Whether it is spread evenly over orders of magnitude.
        low: The lowest value, None for no limit.
        high: The highest value, None for no limit.
        options: What there is to choose from.
    """

    key: ColumnKey
    kind: Kind = Kind.NUMBER
    logarithmic: bool = False
    low: float | None = None
    high: float | None = None
    options: tuple[Any, ...] = ()


def space_columns(space: Any) -> tuple[SpaceColumn, ...]:
    """Returns the columns of a search space in its order; what looks like no parameter is passed over."""
    found: dict[ColumnKey, SpaceColumn] = {}
    for column in _columns(space, ""):
        earlier = found.get(column.key)
        found[column.key] = column if earlier is None else _joined(earlier, column)
    return tuple(found.values())


def _columns(space: Any, prefix: str) -> Iterator[SpaceColumn]:
    if not isinstance(space, dict):
        return
    for name, entry in space.items():
        if not isinstance(entry, dict) or name == _NAME:
            continue
        path = prefix + presentable(str(name))
        if _TYPE not in entry:
            yield from _columns(entry, f"{path}.")
            continue
        value = entry.get(_VALUE)
        if isinstance(value, list):
            yield from _parameter(path, entry[_TYPE], value)


def _parameter(path: str, kind: Any, value: list[Any]) -> Iterator[SpaceColumn]:
    key = ColumnKey(Source.PARAMETER, path)
    if kind == "choice":
        yield from _choice(key, value)
    elif isinstance(kind, str) and kind in PARAMETER_TYPES and not PARAMETER_TYPES[kind].problems(value):
        form = PARAMETER_TYPES[kind]
        low, high = (float(value[0]), float(value[1])) if form.names[0] == "low" else (None, None)
        if high is not None and not form.includes_high and form.is_whole:
            high -= 1.0
        yield SpaceColumn(key, logarithmic=kind in _LOGARITHMIC, low=low, high=high)


def _choice(key: ColumnKey, options: list[Any]) -> Iterator[SpaceColumn]:
    named = [option for option in options if isinstance(option, dict) and _NAME in option]
    if len(named) < len(options) or not options:
        is_numeric = bool(options) and all(is_number(option) for option in options)
        yield SpaceColumn(key, Kind.NUMBER if is_numeric else Kind.TEXT, options=tuple(options))
        return
    names = tuple(dict.fromkeys(str(option[_NAME]) for option in named))
    yield SpaceColumn(ColumnKey(key.source, f"{key.path}.{_NAME}"), Kind.TEXT, options=names)
    for option in named:
        yield from _columns(option, f"{key.path}.")


def _joined(one: SpaceColumn, other: SpaceColumn) -> SpaceColumn:
    """Returns the column of a parameter that two nested options have, each in its own way."""
    low = None if one.low is None or other.low is None else min(one.low, other.low)
    high = None if one.high is None or other.high is None else max(one.high, other.high)
    return SpaceColumn(
        one.key,
        one.kind if one.kind is other.kind else Kind.TEXT,
        one.logarithmic and other.logarithmic,
        low,
        high,
        one.options + tuple(option for option in other.options if option not in one.options)
        if one.options and other.options
        else (),
    )
