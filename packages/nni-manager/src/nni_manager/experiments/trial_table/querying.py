"""Chooses trials of a table and puts them in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nni_manager.experiments.trial_table.cells import Indexes
from nni_manager.experiments.trial_table.filtering import matching
from nni_manager.experiments.trial_table.parsing import parsed_filter, parsed_order
from nni_manager.experiments.trial_table.query import TrialQuery
from nni_manager.experiments.trial_table.sorting import Sorter
from nni_manager.experiments.trial_table.table import TrialTable


@dataclass(frozen=True, slots=True)
class ChosenTrials:
    """The trials of a query.

    Attributes:
        table: The table they are of.
        rows: Their places in the table, in order.
        sorter: What sorted them.
    """

    table: TrialTable
    rows: Indexes
    sorter: Sorter


def chosen(table: TrialTable, query: TrialQuery) -> ChosenTrials:
    """Returns the trials of a query.

    Raises:
        InvalidArgumentError: The filter or the order is malformed, or names a column that there is not.
    """
    sorter = Sorter(table, parsed_order(query.order_by))
    mask = matching(table, parsed_filter(query.filter))
    if query.statuses:
        wanted = frozenset(query.statuses)
        mask = mask & np.array([status in wanted for status in table.statuses], dtype=np.bool_)
    if query.trial_ids is not None:
        ids = frozenset(query.trial_ids)
        mask = mask & np.array([trial_id in ids for trial_id in table.trial_ids], dtype=np.bool_)
    return ChosenTrials(table, sorter.sorted(np.flatnonzero(mask)), sorter)
