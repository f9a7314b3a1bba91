"""Exported trials as a table, CSV: a row for each trial, a column for each parameter, however deep it is."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from nni_client.csv_cells import cell_of, column_of, path_of, value_of
from nni_client.exported_trials import ExportedTrial
from nni_client.json_form import ImportFileError

_REWARD = "reward"
_METRIC = "metric"
_PARAMETER = "parameter"
_INTERMEDIATE = "intermediate"
_TEXTS = ("trialJobId", "status", "source")
_FACTS = ("trialJobId", "sequenceId", "status", "source", "parameterId", "startTime", "endTime")
_WHOLE = frozenset({_REWARD, _PARAMETER, _INTERMEDIATE, *_FACTS})
_RESERVED = frozenset({_METRIC, *_WHOLE})
_LONGEST_CELL = 2**31 - 1

_limit_of_csv = threading.Lock()


class _Column(NamedTuple):
    """A column: what it is part of, and the keys that lead to its values within that."""

    name: str
    kind: str
    path: tuple[str, ...] = ()


def to_csv(trials: Sequence[ExportedTrial]) -> str:
    """Returns trials as a table.

    Parameters have columns such as `lr` and `layer0.k`. A result that is an object has columns such as
    `metric.default`, any other is in the column `reward`. Where a trial has no such entry, its cell is empty.

    Args:
        trials: The trials.
    """
    rows = [(_parameter_cells(it), _result_cells(it), _fact_cells(it)) for it in trials]
    columns = dict.fromkeys(name for group in zip(*rows, strict=True) for cells in group for name in cells)
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(columns), restval="")
    writer.writeheader()
    writer.writerows({**parameters, **result, **facts} for parameters, result, facts in rows)
    return file.getvalue()


def from_csv(text: str) -> list[ExportedTrial]:
    """Returns the trials of a table that `to_csv` made or that was written by hand.

    Args:
        text: The table. Columns for the parameters, and `reward` or `metric.` columns, are enough.

    Raises:
        ImportFileError: It is not such a table.
    """
    with _long_cells():
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            columns = _columns(next(reader, []))
            return [_trial(columns, row, f"line {reader.line_num}") for row in reader if row]
        except csv.Error as error:
            raise ImportFileError(f"line {reader.line_num}: not CSV: {error}") from error


def _parameter_cells(trial: ExportedTrial) -> dict[str, str]:
    if not isinstance(trial.parameter, dict):
        return {_PARAMETER: cell_of(trial.parameter)}
    return {column_of(path, _RESERVED): cell for path, cell in _leaves((), trial.parameter) if path}


def _result_cells(trial: ExportedTrial) -> dict[str, str]:
    if not isinstance(trial.value, dict) or not trial.value:
        return {_REWARD: cell_of(trial.value)}
    return {f"{_METRIC}.{column_of(path)}": cell for path, cell in _leaves((), trial.value)}


def _fact_cells(trial: ExportedTrial) -> dict[str, str]:
    facts = {name: getattr(trial, name) for name in _FACTS}
    cells = {
        name: "" if value is None else value if name in _TEXTS else cell_of(value)
        for name, value in facts.items()
    }
    if trial.intermediate is not None:
        cells[_INTERMEDIATE] = cell_of(trial.intermediate)
    return cells


def _leaves(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict) and value:
        for key, element in value.items():
            yield from _leaves((*path, key), element)
    else:
        yield path, cell_of(value)


def _columns(names: Sequence[str]) -> list[_Column]:
    columns = [_column(name) for name in names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ImportFileError(f"the column {twice[0]!r} is there twice")
    if not any(it.kind in (_REWARD, _METRIC) for it in columns):
        shown = ", ".join(names[:10]) or "none"
        raise ImportFileError(
            f"no column has results; allowed is one named reward, or some such as metric.default. "
            f"The columns, separated by commas, are: {shown}"
        )
    return columns


def _column(name: str) -> _Column:
    if name in _WHOLE:
        return _Column(name, name)
    try:
        path = path_of(name)
    except ValueError as error:
        raise ImportFileError(f"the column {name!r} cannot be read: {error}") from error
    is_result = name.startswith(f"{_METRIC}.")
    return _Column(name, _METRIC, path[1:]) if is_result else _Column(name, _PARAMETER, path)


def _trial(columns: Sequence[_Column], row: Sequence[str], where: str) -> ExportedTrial:
    if len(row) != len(columns):
        raise ImportFileError(f"{where}: {len(row)} cells; the first line has {len(columns)}")
    filled = [(column, cell) for column, cell in zip(columns, row, strict=True) if cell]
    wholes: dict[str, Any] = {
        column.kind: cell if column.name in _TEXTS else value_of(cell)
        for column, cell in filled
        if not column.path
    }
    results = _nested([pair for pair in filled if pair[0].kind == _METRIC], where)
    parameters = _nested([pair for pair in filled if pair[0].kind == _PARAMETER and pair[0].path], where)
    for name, entries in ((_REWARD, results), (_PARAMETER, parameters)):
        if name in wholes and entries:
            raise ImportFileError(f"{where}: both the column {name} and columns of its entries are filled")
    if _REWARD not in wholes and not results:
        raise ImportFileError(f"{where}: there is no result: reward and metric columns are empty")
    return ExportedTrial(
        parameter=wholes.pop(_PARAMETER, parameters), value=wholes.pop(_REWARD, results), **wholes
    )


def _nested(cells: Sequence[tuple[_Column, str]], where: str) -> dict[str, Any]:
    """Returns the object that the entries of a row are the leaves of."""
    root: dict[str, Any] = {}
    leaves: set[tuple[str, ...]] = set()
    for column, cell in cells:
        element = root
        for depth, key in enumerate(column.path[:-1], start=1):
            if column.path[:depth] in leaves:
                raise ImportFileError(f"{where}: {column.name} and what it is part of are both filled")
            element = element.setdefault(key, {})
        if column.path[-1] in element:
            raise ImportFileError(f"{where}: {column.name} and a part of it are both filled")
        element[column.path[-1]] = value_of(cell)
        leaves.add(column.path)
    return root


@contextmanager
def _long_cells() -> Iterator[None]:
    """Lets cells be as long as they are; the limit belongs to the whole process."""
    with _limit_of_csv:
        limit = csv.field_size_limit(_LONGEST_CELL)
        try:
            yield
        finally:
            csv.field_size_limit(limit)
