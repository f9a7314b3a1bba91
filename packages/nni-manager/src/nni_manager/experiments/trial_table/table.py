"""All trials of an experiment at one revision."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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
)
from nni_manager.experiments.trial_table.names import TRIAL_COLUMNS, ColumnKey, Source, key_of
from nni_manager.experiments.trial_table.search_space import SpaceColumn

_DURATION = ColumnKey(Source.TRIAL, "duration")
_STARTED = ColumnKey(Source.TRIAL, "started")
_ENDED = ColumnKey(Source.TRIAL, "ended")


@dataclass(frozen=True, slots=True)
class TrialTable:
    """All trials of an experiment, as they were at one revision. It never changes.

    Attributes:
        revision: The revision.
        trial_ids: The trials' ids, by rising number.
        numbers: Their numbers.
        statuses: Their statuses.
        values: What the trials have in each column: MISSING for nothing. A list may end early.
        known: The columns that some trial has had a value in, and whether all those were numbers. The trial's
            own are not among them.
        space: The columns of the search space.
        running_until: Up to when the duration of trials that run is counted; None leaves it out.
    """

    revision: int = 0
    trial_ids: Sequence[str] = ()
    numbers: Sequence[int] = ()
    statuses: Sequence[TrialStatus] = ()
    values: Mapping[ColumnKey, Sequence[Any]] = field(default_factory=dict, repr=False)
    known: Mapping[ColumnKey, bool] = field(default_factory=dict)
    space: tuple[SpaceColumn, ...] = ()
    running_until: float | None = None
    _cells: dict[ColumnKey, Cells] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """How many trials there are."""
        return len(self.trial_ids)

    @property
    def expected(self) -> tuple[ColumnKey, ...]:
        """The columns of the search space."""
        return tuple(column.key for column in self.space)

    def at(self, revision: int, space: tuple[SpaceColumn, ...], running_until: float | None) -> TrialTable:
        """Returns the same trials at a later revision that none of them has changed up to."""
        cells = {key: cells for key, cells in self._cells.items() if key != _DURATION}
        return replace(self, revision=revision, space=space, running_until=running_until, _cells=cells)

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

    def _made(self, key: ColumnKey) -> Cells:
        if key == _DURATION:
            return self._durations()
        values = self.values.get(key, ())
        return cells_of([*values, *[MISSING] * (self.size - len(values))])

    def _durations(self) -> Cells:
        started, ended = self.cells(_STARTED).numbers, self.cells(_ENDED).numbers
        until = math.nan if self.running_until is None else self.running_until
        is_running = np.array([status is TrialStatus.RUNNING for status in self.statuses], dtype=np.bool_)
        seconds = np.where(is_running, until, ended) - started
        return cells_of_numbers(np.maximum(seconds, 0.0), ~np.isnan(seconds))

    def _hint(self, key: ColumnKey) -> str:
        names = [known.name for known in (*self.expected, *self.known)]
        guess = closest(key.name, (*TRIAL_COLUMNS, *names)) or closest(key.name, names, 0.5)
        if guess:
            return f"; did you mean {guess!r}?"
        listed = list(dict.fromkeys((*TRIAL_COLUMNS, *names)))
        more = f" and {len(listed) - 30} more" if len(listed) > 30 else ""
        return f"; there are {', '.join(listed[:30])}{more}"
