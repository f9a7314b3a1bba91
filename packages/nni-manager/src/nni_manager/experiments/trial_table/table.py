"""All trials of an experiment at one revision."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from nni_config.names import closest

from nni_manager.engine.statuses import TrialStatus
from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.experiments.trial_table.cells import (
    MISSING,
    Cells,
    cells_of,
    cells_of_numbers,
    flattened,
    is_number,
)
from nni_manager.experiments.trial_table.names import TRIAL_COLUMNS, ColumnKey, Source, key_of
from nni_manager.experiments.trial_table.search_space import SpaceColumn
from nni_manager.storage.interface import StoredTrial

_PARAMETERS = "parameters"
_DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Row:
    """What the table has of one trial; see TrialRecord.

    Attributes:
        trial_id: The trial.
        number: Its number.
        status: Its status.
        trial: Its own columns, by name, without those that it has no value in.
        parameters: Its parameters, by path.
        metrics: Its final result, by path.
        intermediates: Its latest intermediate result, by path.
    """

    trial_id: str
    number: int
    status: TrialStatus
    trial: Mapping[str, Any]
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Any]
    intermediates: Mapping[str, Any]


def row_of(stored: StoredTrial) -> Row:
    """Returns the row of a trial."""
    record = stored.record
    reason = record.end_reason.message if record.end_reason is not None else record.waiting_reason
    own = {
        "number": record.sequence_number,
        "id": record.trial_id,
        "status": record.status.value,
        "objective": record.objective,
        "created": record.created_at,
        "started": record.started_at,
        "ended": record.ended_at,
        "attempt": record.attempt,
        "host": record.host or None,
        "gpus": ",".join(record.gpus) or None,
        "reason": reason or None,
        "source": record.parameter_source.value,
        "intermediates": stored.intermediate_count,
    }
    return Row(
        trial_id=record.trial_id,
        number=record.sequence_number,
        status=record.status,
        trial={name: value for name, value in own.items() if value is not None},
        parameters=flattened(record.parameters, _PARAMETERS),
        metrics=flattened(record.final_result, _DEFAULT) if record.has_final_result else {},
        intermediates=flattened(stored.latest_intermediate, _DEFAULT) if stored.intermediate_count else {},
    )


_PARTS: Mapping[Source, Callable[[Row], Mapping[str, Any]]] = {
    Source.TRIAL: lambda row: row.trial,
    Source.PARAMETER: lambda row: row.parameters,
    Source.METRIC: lambda row: row.metrics,
    Source.INTERMEDIATE: lambda row: row.intermediates,
}


@dataclass(frozen=True, slots=True)
class TrialTable:
    """All trials of an experiment, as they were at one revision. It never changes.

    Attributes:
        revision: The revision.
        rows: The trials, by rising number.
        known: The columns that some trial has had a value in, and whether all those were numbers. The trial's
            own are not among them.
        space: The columns of the search space.
        running_until: Up to when the duration of trials that run is counted; None leaves it out.
    """

    revision: int
    rows: tuple[Row, ...]
    known: Mapping[ColumnKey, bool] = field(default_factory=dict)
    space: tuple[SpaceColumn, ...] = ()
    running_until: float | None = None
    _cells: dict[ColumnKey, Cells] = field(default_factory=dict, repr=False)

    @property
    def expected(self) -> tuple[ColumnKey, ...]:
        """The columns of the search space."""
        return tuple(column.key for column in self.space)

    def column(self, name: str, where: str) -> ColumnKey:
        """Returns the column of a name.

        Args:
            name: The name.
            where: Begins the text of an error, such as "order_by".

        Raises:
            InvalidArgumentError: There is no such column.
        """
        key = key_of(name)
        if key.source is Source.TRIAL or key in self.known or key in self.expected:
            return key
        if not any(known.source is key.source for known in (*self.known, *self.expected)):
            return key  # Nothing is known of its source yet: a filter may be made before the first result.
        raise InvalidArgumentError(f"{where}: there is no column {name!r}{self._hint(key)}")

    def cells(self, key: ColumnKey) -> Cells:
        """Returns a column of all trials."""
        found = self._cells.get(key)
        if found is None:
            found = self._made(key)
            self._cells[key] = found
        return found

    def has_values(self, name: str) -> bool:
        """Returns whether some trial has a value in a column of the trial itself."""
        return any(name in row.trial for row in self.rows)

    def _made(self, key: ColumnKey) -> Cells:
        if key.source is Source.TRIAL and key.path == "duration":
            return self._durations()
        part = _PARTS[key.source]
        return cells_of([part(row).get(key.path, MISSING) for row in self.rows])

    def _durations(self) -> Cells:
        until = math.nan if self.running_until is None else self.running_until
        numbers = np.array(
            [
                row.trial.get("ended", until if row.status is TrialStatus.RUNNING else math.nan)
                - row.trial.get("started", math.nan)
                for row in self.rows
            ],
            dtype=np.float64,
        )
        return cells_of_numbers(np.maximum(numbers, 0.0), ~np.isnan(numbers))

    def _hint(self, key: ColumnKey) -> str:
        names = [known.name for known in (*self.expected, *self.known)]
        guess = closest(key.name, (*TRIAL_COLUMNS, *names)) or closest(key.name, names, 0.5)
        if guess:
            return f"; did you mean {guess!r}?"
        listed = list(dict.fromkeys((*TRIAL_COLUMNS, *names)))
        more = f" and {len(listed) - 30} more" if len(listed) > 30 else ""
        return f"; there are {', '.join(listed[:30])}{more}"


def updated(
    table: TrialTable,
    changed: Iterable[StoredTrial],
    revision: int,
    space: tuple[SpaceColumn, ...],
    is_running: bool,
) -> TrialTable:
    """Returns a table in which some trials have changed or were added.

    Args:
        table: The table before.
        changed: The trials as they are now.
        revision: The revision of the new table.
        space: The columns of the search space.
        is_running: Whether somebody runs the experiment, so that time goes on for the trials that run.
    """
    rows = {row.trial_id: row for row in table.rows}
    numeric: dict[Source, dict[str, bool]] = {source: {} for source in Source}
    for key, is_numeric in table.known.items():
        numeric[key.source][key.path] = is_numeric
    for stored in changed:
        row = row_of(stored)
        rows[row.trial_id] = row
        _note_values(numeric[Source.PARAMETER], row.parameters)
        _note_values(numeric[Source.METRIC], row.metrics)
        _note_values(numeric[Source.INTERMEDIATE], row.intermediates)
    known = {ColumnKey(source, path): it for source, paths in numeric.items() for path, it in paths.items()}
    ordered = sorted(rows.values(), key=lambda row: row.number)
    return TrialTable(revision, tuple(ordered), known, space, time.time() if is_running else None)


def _note_values(numeric: dict[str, bool], values: Mapping[str, Any]) -> None:
    """Takes down which paths have values, and whether all of them are numbers."""
    for path, value in values.items():
        if type(value) is not float and not is_number(value):
            numeric[path] = False
        elif path not in numeric:
            numeric[path] = True
