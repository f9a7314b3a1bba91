"""The columns that there are."""

from __future__ import annotations

from collections.abc import Sequence

from nni_manager.experiments.trial_table.names import TRIAL_COLUMNS, ColumnKey, Kind, Source
from nni_manager.experiments.trial_table.search_space import SpaceColumn
from nni_manager.experiments.trial_table.table import TrialTable

_SHOWN_WHEN_USED = ("host", "gpus")
_ORDER = (Source.PARAMETER, Source.METRIC, Source.INTERMEDIATE)


def listed_columns(table: TrialTable) -> Sequence[SpaceColumn]:
    """Returns the columns of the trial itself, those of the search space in its order, and the others found.

    The machine and the GPUs of trials are columns only where some trial has one.
    """
    columns = [
        SpaceColumn(ColumnKey(Source.TRIAL, name), kind)
        for name, kind in TRIAL_COLUMNS.items()
        if name not in _SHOWN_WHEN_USED or ColumnKey(Source.TRIAL, name) in table.values
    ]
    expected = {column.key: column for column in table.space}
    columns += expected.values()
    for source in _ORDER:
        columns += [
            SpaceColumn(key, Kind.NUMBER if is_numeric else Kind.TEXT)
            for key, is_numeric in table.known.items()
            if key.source is source and key not in expected
        ]
    return columns
