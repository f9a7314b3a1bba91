"""A table that was kept up to date is the one that would be made anew."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from nni_manager.engine.effects import SaveTrial, Write
from nni_manager.engine.statuses import TrialStatus
from nni_manager.experiments.trial_table import keeping
from nni_manager.experiments.trial_table.keeping import TableKeeper
from nni_manager.experiments.trial_table.names import TRIAL_COLUMNS, ColumnKey, Source
from nni_manager.experiments.trial_table.reading import tables_of
from nni_manager.experiments.trial_table.table import TrialTable
from nni_manager.storage.memory import MemoryStorage
from nni_manager.testing.storage import EXPERIMENT, metric, results, trial

CELLS = st.none() | st.booleans() | st.integers(-1, 1) | st.floats() | st.sampled_from(["", "a"])
PARAMETERS = st.dictionaries(st.sampled_from(["x", "y"]), CELLS | st.fixed_dictionaries({"z": CELLS}))
RESULTS = CELLS | st.dictionaries(st.sampled_from(["default", "loss"]), CELLS)


@st.composite
def saved_trials(draw: st.DrawFn) -> Write:
    return SaveTrial(
        trial(
            draw(st.integers(0, 6)),
            status=draw(st.sampled_from(TrialStatus)),
            attempt=draw(st.integers(0, 1)),
            parameters=draw(PARAMETERS | CELLS),
            started_at=draw(st.none() | st.floats(0, 9)),
            ended_at=draw(st.none() | st.floats(10, 19)),
            has_final_result=draw(st.booleans()),
            final_result=draw(RESULTS),
            objective=draw(st.none() | st.floats(0, 1)),
            host=draw(st.sampled_from(["", "gpu-a"])),
        )
    )


@st.composite
def saved_metrics(draw: st.DrawFn) -> Write:
    number = draw(st.integers(0, 6))
    attempt = draw(st.integers(0, 1))
    return results(number, metric(number, draw(st.integers(0, 3)), draw(RESULTS), attempt=attempt))


BATCHES = st.lists(st.lists(saved_trials() | saved_metrics(), min_size=1, max_size=4), max_size=6)


def told(table: TrialTable) -> list[Any]:
    """Returns all that a table says."""
    keys = {ColumnKey(Source.TRIAL, name) for name in TRIAL_COLUMNS} | set(table.known)
    cells = {key: table.cells(key) for key in keys}
    return [
        table.revision,
        list(table.trial_ids),
        list(table.numbers),
        list(table.statuses),
        {
            key: (
                it.kinds.tolist(),
                repr(it.numbers.tolist()),
                [*map([*it.texts, None].__getitem__, it.codes)],
            )
            for key, it in cells.items()
            if it.kinds.any()
        },
    ]


@settings(max_examples=80, deadline=None)
@given(BATCHES)
def test_a_kept_table_is_as_one_made_anew(batches: list[list[Write]]) -> None:
    storage, keeper = MemoryStorage(), TableKeeper()
    earlier: list[tuple[TrialTable, list[Any]]] = []
    for batch in batches:
        saved = {write.record.trial_id for write in batch if isinstance(write, SaveTrial)}
        known = saved | {it.record.trial_id for it in storage.trials()}
        storage.commit([it for it in batch if isinstance(it, SaveTrial) or it.trial_id in known])
        table = keeper.table(storage, EXPERIMENT)
        assert told(table) == told(TableKeeper().table(storage, EXPERIMENT))
        earlier.append((table, told(table)))
    for table, before in earlier:
        assert told(replace(table, _cells={})) == before


def test_many_trials_are_read_in_parts(monkeypatch) -> None:
    monkeypatch.setattr(keeping, "_TRIALS_PER_READ", 3)
    storage = MemoryStorage()
    for number in range(10):
        storage.commit([SaveTrial(trial(number)), SaveTrial(trial(number + 10))])
    table = TableKeeper().table(storage, EXPERIMENT)
    assert (table.numbers, table.revision) == (list(range(20)), 10)


def test_the_duration_of_a_running_trial_grows_only_while_somebody_runs_it() -> None:
    storage, keeper = MemoryStorage(), TableKeeper()
    running = trial(0, status=TrialStatus.RUNNING, started_at=1000.0)
    storage.commit([SaveTrial(running), SaveTrial(trial(1, started_at=5.0, ended_at=7.5))])
    duration = ColumnKey(Source.TRIAL, "duration")
    numbers = keeper.table(storage, replace(EXPERIMENT, running_since=1.0)).cells(duration).numbers
    assert numbers[0] > 1e9 and numbers[1] == 2.5
    numbers = keeper.table(storage, replace(EXPERIMENT, running_since=None)).cells(duration).numbers
    assert np.isnan(numbers[0]) and numbers[1] == 2.5


def test_what_was_read_stays_with_the_open_record_and_goes_with_it() -> None:
    storage = MemoryStorage()
    storage.commit([SaveTrial(trial(0))])
    reader = tables_of(storage)
    assert tables_of(storage) is reader and tables_of(MemoryStorage()) is not reader
    gone = weakref.ref(reader)
    del reader, storage
    assert gone() is None
