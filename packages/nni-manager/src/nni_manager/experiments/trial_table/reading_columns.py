"""Columns of many trials at once, for charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nni_manager.engine.statuses import TrialStatus
from nni_manager.experiments.trial_table.cells import NUMBER, TEXT, Cells, Indexes
from nni_manager.experiments.trial_table.names import TRIAL_COLUMNS, ColumnKey, Kind, Source
from nni_manager.experiments.trial_table.querying import ChosenTrials
from nni_manager.experiments.trial_table.thinning import evenly_spaced, rounded

_TIMES = (Kind.TIME, Kind.DURATION)


@dataclass(frozen=True, slots=True)
class ColumnValues:
    """A column of some trials; either `numbers`, or `texts` with `text_indexes`, is filled.

    Attributes:
        name: Its name.
        numbers: The numbers, NaN for none.
        texts: The different texts.
        text_indexes: Which text each trial has, -1 for none.
    """

    name: str
    numbers: Sequence[float] = ()
    texts: Sequence[str] = ()
    text_indexes: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class ReadColumns:
    """Columns of some trials; every list has one element for each trial.

    Attributes:
        trial_ids: The trials.
        sequence_numbers: Their numbers.
        statuses: Their statuses.
        columns: The columns asked for.
        total_size: How many trials there are, those left out counted.
        revision: The revision of it all.
    """

    trial_ids: Sequence[str]
    sequence_numbers: Sequence[int]
    statuses: Sequence[TrialStatus]
    columns: Sequence[ColumnValues]
    total_size: int
    revision: int


def read_columns(
    trials: ChosenTrials, names: Sequence[str], max_trials: int, optimize_mode: str
) -> ReadColumns:
    """Returns columns of trials.

    Args:
        trials: The trials.
        names: The columns.
        max_trials: At most so many; of more, evenly spaced ones and the best one are returned.
        optimize_mode: Which one is the best: "maximize" or "minimize".

    Raises:
        InvalidArgumentError: There is no column of a name.
    """
    table = trials.table
    keys = [table.column(name, f"columns[{place}]") for place, name in enumerate(names)]
    best = _best(trials, optimize_mode) if len(trials.rows) > max_trials else None
    rows = trials.rows[evenly_spaced(len(trials.rows), max_trials, best)]
    return ReadColumns(
        trial_ids=[table.trial_ids[row] for row in rows],
        sequence_numbers=[table.numbers[row] for row in rows],
        statuses=[table.statuses[row] for row in rows],
        columns=[_values(name, key, table.cells(key), rows) for name, key in zip(names, keys, strict=True)],
        total_size=len(trials.rows),
        revision=table.revision,
    )


def _best(trials: ChosenTrials, optimize_mode: str) -> int | None:
    """Returns the place of the best succeeded trial among some."""
    objectives = trials.table.cells(ColumnKey(Source.TRIAL, "objective")).numbers[trials.rows]
    succeeded = [trials.table.statuses[row] is TrialStatus.SUCCEEDED for row in trials.rows]
    worst = -np.inf if optimize_mode == "maximize" else np.inf
    ranked = np.where(np.isnan(objectives) | ~np.array(succeeded, dtype=np.bool_), worst, objectives)
    if not len(ranked) or (ranked == worst).all():
        return None
    return int(np.argmax(ranked) if optimize_mode == "maximize" else np.argmin(ranked))


def _values(name: str, key: ColumnKey, cells: Cells, rows: Indexes) -> ColumnValues:
    if _has_texts(cells, rows):
        texts, codes = cells.all_texts()
        used, indexes = np.unique(codes[rows], return_inverse=True)
        has_none = int(used[0] == -1)
        return ColumnValues(
            name,
            texts=[texts[code] for code in used[has_none:]],
            text_indexes=(indexes.reshape(-1) - has_none).tolist(),
        )
    numbers = cells.numbers[rows]
    is_time = key.source is Source.TRIAL and TRIAL_COLUMNS[key.path] in _TIMES
    return ColumnValues(name, numbers=(np.round(numbers, 3) if is_time else rounded(numbers)).tolist())


def _has_texts(cells: Cells, rows: Indexes) -> bool:
    """Returns whether the column is more than numbers; among numbers, null stands for none."""
    kinds = cells.kinds[rows]
    different = {cells.texts[code] for code in np.unique(cells.codes[rows][kinds == TEXT])}
    return bool(different) and (different != {"null"} or not (kinds == NUMBER).any())
