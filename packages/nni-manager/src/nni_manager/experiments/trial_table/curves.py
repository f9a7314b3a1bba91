"""Curves: the intermediate results of many trials, thinned out for charts."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nni_manager.engine.statuses import TrialStatus
from nni_manager.experiments.trial_table.names import ColumnKey, Source
from nni_manager.experiments.trial_table.query import StepRange
from nni_manager.experiments.trial_table.querying import ChosenTrials
from nni_manager.experiments.trial_table.table import TrialTable
from nni_manager.experiments.trial_table.thinning import rounded, thinned_curve
from nni_manager.storage.interface import NumberSeries, Storage
from nni_manager.storage.values import DEFAULT_KEY

_CURVES_KEPT = 1000
_INTERMEDIATES = ColumnKey(Source.TRIAL, "intermediates")
_ATTEMPT = ColumnKey(Source.TRIAL, "attempt")


@dataclass(frozen=True, slots=True)
class Curve:
    """The intermediate results of a trial's present attempt.

    Attributes:
        trial_id: The trial.
        number: Its number.
        status: Its status.
        indexes: The indexes of the results shown, rising.
        values: Their values, NaN for what is no number.
        point_count: How many results there are.
    """

    trial_id: str
    number: int
    status: TrialStatus
    indexes: Sequence[int]
    values: Sequence[float]
    point_count: int


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of some trials.

    Attributes:
        curves: The curves, in the order of the trials.
        total_size: How many trials there are, those left out counted.
        keys: The entries that intermediate results have numbers in.
        revision: The revision of the trials.
    """

    curves: Sequence[Curve]
    total_size: int
    keys: Sequence[str]
    revision: int


class CurveKeeper:
    """Reads curves, and keeps those that it read last: of a trial that has ended nothing is read again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[str] = set()
        self._keys_to_row = 0
        self._kept: OrderedDict[tuple[str, str, int], tuple[tuple[int, int], Curve]] = OrderedDict()

    def curves(
        self,
        storage: Storage,
        trials: ChosenTrials,
        key: str,
        max_curves: int,
        max_points: int,
        step_range: StepRange | None = None,
    ) -> Curves:
        """Returns the curves of trials that have intermediate results.

        Args:
            storage: The record, always of the same experiment.
            trials: The trials.
            key: The entry of the results that is shown.
            max_curves: At most so many curves.
            max_points: At most so many points of each.
            step_range: Which trials are kept; None for all.

        Raises:
            StorageError: The record cannot be read.
        """
        table = trials.table
        rows = trials.rows[table.cells(_INTERMEDIATES).numbers[trials.rows] > 0]
        if step_range is not None:
            values = storage.intermediate_numbers_at(step_range.index, key)
            at_index = np.array(
                [values.get(table.trial_ids[row], math.nan) for row in rows], dtype=np.float64
            )
            rows = rows[(step_range.low <= at_index) & (at_index <= step_range.high)]
        total_size, rows = len(rows), rows[:max_curves]
        return Curves(
            curves=self._read(storage, table, rows.tolist(), key, max_points),
            total_size=total_size,
            keys=self._all_keys(storage, table),
            revision=table.revision,
        )

    def _all_keys(self, storage: Storage, table: TrialTable) -> list[str]:
        """Returns the entries to choose from: a step may lack one that others have."""
        with self._lock:
            keys, self._keys_to_row = storage.intermediate_keys(self._keys_to_row)
            self._keys |= keys
            latest = _latest_keys(table)
            return sorted(self._keys.union(latest), key=lambda key: (key != DEFAULT_KEY, key))

    def _read(
        self, storage: Storage, table: TrialTable, rows: list[int], key: str, max_points: int
    ) -> list[Curve]:
        counts, attempts = table.cells(_INTERMEDIATES).numbers, table.cells(_ATTEMPT).numbers
        # Results are only ever added: as many of the same attempt are the same ones.
        states = {row: (int(attempts[row]), int(counts[row])) for row in rows}
        places = {row: (table.trial_ids[row], key, max_points) for row in rows}
        with self._lock:
            kept = {row: self._kept.get(places[row], (None, None)) for row in rows}
        missing = {table.trial_ids[row]: row for row in rows if kept[row][0] != states[row]}
        found: dict[int, Curve] = {row: curve for row, (_, curve) in kept.items() if curve is not None}
        for trial_id, series in storage.intermediate_numbers(missing, key).items():
            found[missing[trial_id]] = _curve(table, missing[trial_id], series, max_points)
        shown = {row: replace(found[row], status=table.statuses[row]) for row in rows if row in found}
        with self._lock:
            for row, curve in shown.items():
                # More may have been stored since the table was made.
                if curve.point_count == states[row][1]:
                    self._kept[places[row]] = (states[row], curve)
                    self._kept.move_to_end(places[row])
            while len(self._kept) > _CURVES_KEPT:
                self._kept.popitem(last=False)
        return list(shown.values())


def _curve(table: TrialTable, row: int, series: NumberSeries, max_points: int) -> Curve:
    numbers = np.asarray(series.numbers, dtype=np.float64)
    places = thinned_curve(numbers, max_points)
    return Curve(
        table.trial_ids[row],
        table.numbers[row],
        table.statuses[row],
        np.asarray(series.indexes)[places].tolist(),
        rounded(numbers[places]).tolist(),
        len(numbers),
    )


def _latest_keys(table: TrialTable) -> list[str]:
    """Returns the entries of latest results that were always numbers, nested ones too."""
    known = table.known
    keys = [key.path for key in known if key.source is Source.INTERMEDIATE]
    return [path for path in keys if known[ColumnKey(Source.INTERMEDIATE, path)]]
