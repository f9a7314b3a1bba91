"""Makes tables of trials."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from nni_manager.experiments.trial_table.cells import MISSING, flattened, is_number
from nni_manager.experiments.trial_table.names import ColumnKey, Source
from nni_manager.experiments.trial_table.search_space import SpaceColumn
from nni_manager.experiments.trial_table.table import TrialTable
from nni_manager.storage.interface import StoredTrial
from nni_manager.storage.values import DEFAULT_KEY

_PARAMETERS = "parameters"
"""The path of parameters that are no object."""


class TableBuilder:
    """Makes a table out of an earlier one, which stays as it is, and of the trials that have changed."""

    def __init__(self, table: TrialTable) -> None:
        """Makes a builder.

        Args:
            table: The earlier table.
        """
        self._trial_ids = list(table.trial_ids)
        self._numbers = list(table.numbers)
        self._statuses = list(table.statuses)
        self._values: dict[Source, dict[str, list[Any]]] = {source: {} for source in Source}
        for key, values in table.values.items():
            self._values[key.source][key.path] = list(values)
        self._numeric: dict[Source, dict[str, bool]] = {source: {} for source in Source}
        for key, is_numeric in table.known.items():
            self._numeric[key.source][key.path] = is_numeric

    def put(self, stored: StoredTrial) -> None:
        """Adds a trial, or replaces what there was of it."""
        record = stored.record
        place = bisect_left(self._numbers, record.sequence_number)
        if place == len(self._numbers):
            self._trial_ids.append(record.trial_id)
            self._numbers.append(record.sequence_number)
            self._statuses.append(record.status)
        elif self._numbers[place] == record.sequence_number:
            self._statuses[place] = record.status
            self._clear(place)
        else:
            self._insert(place, stored)
        self._fill(place, Source.TRIAL, _own(stored))
        self._fill(place, Source.PARAMETER, flattened(record.parameters, _PARAMETERS))
        if record.has_final_result:
            self._fill(place, Source.METRIC, flattened(record.final_result, DEFAULT_KEY))
        if stored.intermediate_count:
            self._fill(place, Source.INTERMEDIATE, flattened(stored.latest_intermediate, DEFAULT_KEY))

    def table(self, revision: int, space: tuple[SpaceColumn, ...], running_until: float | None) -> TrialTable:
        """Returns the table; the builder is not used after that.

        Args:
            revision: The revision that the trials have been put in up to.
            space: The columns of the search space.
            running_until: Up to when the duration of trials that run is counted; None leaves it out.
        """
        return TrialTable(
            revision=revision,
            trial_ids=self._trial_ids,
            numbers=self._numbers,
            statuses=self._statuses,
            values=_joined(self._values),
            known={key: it for key, it in _joined(self._numeric).items() if key.source is not Source.TRIAL},
            space=space,
            running_until=running_until,
        )

    def _clear(self, place: int) -> None:
        for paths in self._values.values():
            for values in paths.values():
                if place < len(values):
                    values[place] = MISSING

    def _insert(self, place: int, stored: StoredTrial) -> None:
        """Makes room for a trial that comes after one of a higher number."""
        self._trial_ids.insert(place, stored.record.trial_id)
        self._numbers.insert(place, stored.record.sequence_number)
        self._statuses.insert(place, stored.record.status)
        for paths in self._values.values():
            for values in paths.values():
                if place < len(values):
                    values.insert(place, MISSING)

    def _fill(self, place: int, source: Source, cells: Mapping[str, Any]) -> None:
        columns, numeric = self._values[source], self._numeric[source]
        for path, value in cells.items():
            column = columns.get(path)
            if column is None:
                column = columns[path] = []
                numeric[path] = True
            kind = type(value)
            if kind is str:
                value = sys.intern(value)
                numeric[path] = False
            elif kind is not float and not is_number(value):
                numeric[path] = False
            if place < len(column):
                column[place] = value
            else:
                column.extend([MISSING] * (place - len(column)))
                column.append(value)


def _own(stored: StoredTrial) -> Mapping[str, Any]:
    """Returns what a trial has in the columns of the trial itself."""
    record = stored.record
    reason = record.end_reason.message if record.end_reason is not None else record.waiting_reason
    cells = {
        "number": record.sequence_number,
        "id": record.trial_id,
        "status": record.status.value,
        "created": record.created_at,
        "attempt": record.attempt,
        "source": record.parameter_source.value,
        "intermediates": stored.intermediate_count,
    }
    if record.objective is not None:
        cells["objective"] = record.objective
    if record.started_at is not None:
        cells["started"] = record.started_at
    if record.ended_at is not None:
        cells["ended"] = record.ended_at
    if record.host:
        cells["host"] = record.host
    if record.gpus:
        cells["gpus"] = ",".join(record.gpus)
    if reason:
        cells["reason"] = reason
    return cells


def _joined(parts: Mapping[Source, Mapping[str, Any]]) -> dict[ColumnKey, Any]:
    return {ColumnKey(source, path): part for source, paths in parts.items() for path, part in paths.items()}
