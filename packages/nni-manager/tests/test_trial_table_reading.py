"""Columns as charts read them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from nni_manager.engine.effects import SaveTrial
from nni_manager.experiments.trial_table.keeping import TableKeeper
from nni_manager.experiments.trial_table.query import TrialQuery
from nni_manager.experiments.trial_table.querying import chosen
from nni_manager.experiments.trial_table.reading_columns import ColumnValues, read_columns
from nni_manager.storage.memory import MemoryStorage
from nni_manager.testing.storage import EXPERIMENT, trial


def column(*values: Any) -> ColumnValues:
    storage = MemoryStorage()
    for number, value in enumerate(values):
        storage.commit([SaveTrial(trial(number, parameters={"x": value}))])
    trials = chosen(TableKeeper().table(storage, EXPERIMENT), TrialQuery())
    (found,) = read_columns(trials, ["x"], 100, "maximize").columns
    return found


def test_null_among_numbers_is_no_value() -> None:
    found = column(0.5, None, 2)
    assert not found.texts and not found.text_indexes
    assert found.numbers[0] == 0.5 and math.isnan(found.numbers[1]) and found.numbers[2] == 2


@pytest.mark.parametrize("values", [(0.5, None, "a"), (None, None), (True, 1)])
def test_what_is_more_than_numbers_is_text(values: tuple[Any, ...]) -> None:
    found = column(*values)
    assert not found.numbers and len(found.text_indexes) == len(values)
