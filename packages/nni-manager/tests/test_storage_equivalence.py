from __future__ import annotations

import itertools
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from nni_manager.engine.effects import SaveExperiment, SaveMetrics, SaveTrial, SaveTunerNotes, Write
from nni_manager.engine.records import EndReason, MetricRecord, TunerNote
from nni_manager.engine.statuses import Actor, ExperimentStatus, MetricKind, TrialStatus, TunerNoteKind
from nni_manager.storage.interface import Storage, StorageError
from nni_manager.storage.memory import MemoryStorage
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.storage import EXPERIMENT, trial

NUMBERS = range(6)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
OBJECTIVES = st.none() | st.sampled_from([0.0, 0.5, 1.0, float("inf"), float("-inf")])
TIMES = st.none() | st.floats(0, 1e10)
REASONS = st.none() | st.builds(
    EndReason, st.sampled_from(Actor), st.text(max_size=5), st.none() | st.integers(0, 9)
)


@st.composite
def saved_trials(draw: st.DrawFn) -> SaveTrial:
    number = draw(st.sampled_from(NUMBERS))
    record = trial(
        number,
        status=draw(st.sampled_from(TrialStatus)),
        attempt=draw(st.integers(0, 2)),
        parameters=draw(VALUES),
        started_at=draw(TIMES),
        end_reason=draw(REASONS),
        final_result=draw(VALUES),
        objective=draw(OBJECTIVES),
        submitted=draw(st.booleans()),
        cancel_reason=draw(REASONS),
        host=draw(st.sampled_from(["", "gpu-a"])),
        gpus=draw(st.sampled_from([(), ("0", "GPU-1")])),
        earlier_ends=tuple(reason for reason in draw(st.lists(REASONS, max_size=2)) if reason is not None),
        create_request_id=draw(st.sampled_from(["", "a", "b"])),
    )
    if draw(st.integers(0, 30)) == 0:
        record = replace(record, sequence_number=draw(st.sampled_from(NUMBERS)))
    return SaveTrial(record)


@st.composite
def saved_metrics(draw: st.DrawFn) -> SaveMetrics:
    trial_id = f"t{draw(st.sampled_from(NUMBERS)):04d}"
    attempt = draw(st.integers(0, 2))
    one = st.builds(
        MetricRecord,
        st.just(trial_id),
        st.just(attempt),
        st.sampled_from(MetricKind),
        st.integers(0, 9),
        VALUES,
        st.floats(0, 1e10),
        st.booleans(),
    )
    metrics = tuple(draw(st.lists(one, max_size=3)))
    numbers = draw(st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 9)))
    return SaveMetrics(trial_id, attempt, metrics, numbers, draw(st.none() | st.integers(0, 99)))


@st.composite
def saved_experiments(draw: st.DrawFn) -> SaveExperiment:
    return SaveExperiment(
        replace(
            EXPERIMENT,
            status=draw(st.sampled_from(ExperimentStatus)),
            config=draw(st.dictionaries(st.text(max_size=3), VALUES, max_size=2)),
            end_reason=draw(REASONS),
            errors=tuple(draw(st.lists(st.text(max_size=4), max_size=2))),
            paused=draw(st.booleans()),
            initial_count=draw(st.integers(0, 9)),
            import_request_ids=tuple(draw(st.lists(st.text(max_size=4), max_size=2))),
        )
    )


@st.composite
def saved_notes(draw: st.DrawFn) -> SaveTunerNotes:
    one = st.builds(
        TunerNote,
        st.sampled_from(TunerNoteKind),
        st.integers(0, 9),
        st.lists(st.integers(0, 99), max_size=2).map(tuple),
        st.sampled_from(["", *(f"t{number:04d}" for number in NUMBERS)]),
        VALUES,
    )
    return SaveTunerNotes(tuple(draw(st.lists(one, max_size=3))))


BATCHES = st.lists(
    st.one_of(saved_trials(), saved_trials(), saved_metrics(), saved_experiments(), saved_notes()), max_size=6
)


def everything(storage: Storage) -> list[str]:
    """Returns what every read of a storage answers."""
    answers: list[Any] = [
        storage.revision(),
        storage.experiment(),
        storage.experiment_revision(),
        sorted(storage.trial_counts().items()),
        [storage.best_trial(mode) for mode in ("maximize", "minimize")],
        storage.trials(),
        storage.trials(2, 2),
        storage.trials(0, 2, [TrialStatus.RUNNING, TrialStatus.SUCCEEDED, TrialStatus.FAILED]),
        storage.metrics(),
        storage.trial_of_request("a"),
        storage.tuner_notes(),
        storage.tuner_notes(2, 3),
        storage.trials_of(["t0003", "t0001", "unknown"]),
        storage.metrics(after_row=2, limit=3, kind=MetricKind.FINAL),
    ]
    for number in NUMBERS:
        trial_id = f"t{number:04d}"
        answers.append(storage.trial(trial_id))
        for kind in (None, *MetricKind):
            answers.append(storage.metrics(trial_id, after_row=number, limit=4, kind=kind))
        for attempt in range(3):
            position = storage.report_position(trial_id, attempt)
            answers.append(
                replace(position, reporter_numbers=dict(sorted(position.reporter_numbers.items())))
            )
    for key in ("default", "a"):
        series = storage.intermediate_numbers([f"t{number:04d}" for number in NUMBERS], key)
        answers += [(it, list(found.indexes), list(found.numbers)) for it, found in sorted(series.items())]
        answers += [sorted(storage.intermediate_numbers_at(index, key).items()) for index in (0, 1, 2)]
    for revision, limit in itertools.product((0, 1, storage.revision() // 2), (1, 3, 1000)):
        answers.append(storage.trials_changed_after(revision, limit))
        answers.append(storage.metrics_changed_after(revision, limit))
    return [repr(answer) for answer in answers]


class TwoStorages(RuleBasedStateMachine):
    """Gives the same batches to both storages, and reads everything after each."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "experiment.sqlite"
        self.memory: Storage = MemoryStorage()
        self.sqlite = open_sqlite_storage(self.path)

    @rule(batch=BATCHES)
    def commit(self, batch: list[Write]) -> None:
        outcomes = []
        for storage in (self.memory, self.sqlite):
            try:
                outcomes.append(storage.commit(batch))
            except StorageError:
                outcomes.append(-1)
        assert outcomes[0] == outcomes[1]

    @rule()
    def reopen(self) -> None:
        self.sqlite.close()
        self.sqlite = open_sqlite_storage(self.path)

    @invariant()
    def same(self) -> None:
        for memory, sqlite in zip(everything(self.memory), everything(self.sqlite), strict=True):
            assert memory == sqlite

    def teardown(self) -> None:
        self.sqlite.close()
        self.folder.cleanup()


TestTwoStorages = TwoStorages.TestCase
TestTwoStorages.settings = settings(max_examples=12, stateful_step_count=10, deadline=None)
