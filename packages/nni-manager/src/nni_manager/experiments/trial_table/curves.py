"""Curves: the intermediate results of many trials, thinned out for charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nni_manager.engine.statuses import TrialStatus
from nni_manager.experiments.trial_table.names import ColumnKey, Source
from nni_manager.experiments.trial_table.querying import ChosenTrials
from nni_manager.experiments.trial_table.table import TrialTable
from nni_manager.experiments.trial_table.thinning import rounded, thinned_curve
from nni_manager.storage.interface import NumberSeries, Storage
from nni_manager.storage.values import DEFAULT_KEY


@dataclass(frozen=True, slots=True)
class StepRange:
    """Keeps the trials whose result of one index lies in a range.

    Attributes:
        index: The index of the result.
        low: The lowest value kept.
        high: The highest value kept.
    """

    index: int
    low: float = -math.inf
    high: float = math.inf


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
        keys: The entries that the latest intermediate results have.
        revision: The revision of the trials.
    """

    curves: Sequence[Curve]
    total_size: int
    keys: Sequence[str]
    revision: int


def read_curves(
    storage: Storage,
    trials: ChosenTrials,
    key: str,
    max_curves: int,
    max_points: int,
    step_range: StepRange | None = None,
) -> Curves:
    """Returns the curves of trials that have intermediate results.

    Args:
        storage: The record.
        trials: The trials.
        key: The entry of the results that is shown.
        max_curves: At most so many curves.
        max_points: At most so many points of each.
        step_range: Which trials are kept; None for all.

    Raises:
        StorageError: The record cannot be read.
    """
    table = trials.table
    rows = trials.rows[table.cells(ColumnKey(Source.TRIAL, "intermediates")).numbers[trials.rows] > 0]
    if step_range is not None:
        values = storage.intermediate_numbers_at(step_range.index, key)
        at_index = np.array([values.get(table.trial_ids[row], math.nan) for row in rows], dtype=np.float64)
        rows = rows[(step_range.low <= at_index) & (at_index <= step_range.high)]
    wanted = {table.trial_ids[row]: row for row in rows[:max_curves]}
    points = storage.intermediate_numbers(wanted, key)
    return Curves(
        curves=[
            _curve(table, row, points[trial_id], max_points)
            for trial_id, row in wanted.items()
            if trial_id in points
        ],
        total_size=len(rows),
        keys=_keys(trials),
        revision=table.revision,
    )


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


def _keys(trials: ChosenTrials) -> list[str]:
    known = trials.table.known
    keys = [key.path for key in known if key.source is Source.INTERMEDIATE]
    numeric = [path for path in keys if known[ColumnKey(Source.INTERMEDIATE, path)]]
    return sorted(numeric, key=lambda path: (path != DEFAULT_KEY, numeric.index(path)))
