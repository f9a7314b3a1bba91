"""Records that older versions of the program wrote: tests/data has one of each version as text."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest
from nni_manager.engine.effects import SaveTrial, SaveTunerNotes
from nni_manager.engine.records import ExperimentOrigin, TunerNote
from nni_manager.engine.statuses import MetricKind, TrialStatus, TunerNoteKind
from nni_manager.storage.interface import ReportPosition, Storage
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.storage import trial

DATA = Path(__file__).parent / "data"


@pytest.fixture(params=[1, 2, 3])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def path(tmp_path: Path, version: int) -> Path:
    path = tmp_path / "experiment.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript((DATA / f"experiment_version_{version}.sql").read_text())
    connection.close()
    return path


def check_what_it_has(storage: Storage, version: int) -> None:
    experiment = storage.experiment()
    assert experiment is not None
    assert (experiment.experiment_id, experiment.running_since) == ("old12345", 1001.0)
    assert (experiment.paused, experiment.initial_count, experiment.import_request_ids) == (False, 0, ())
    if version == 1:
        assert (experiment.origin, experiment.warnings) == (ExperimentOrigin(), ())
    else:
        assert experiment.origin.git_commit == "c0ffee"
        assert experiment.warnings == ("the code changed",)
    stored = storage.trials()
    assert [one.record.trial_id for one in stored] == ["t0", "t1", "t2", "t3"]
    assert [(one.record.earlier_ends, one.record.cancel_reason) for one in stored] == [((), None)] * 4
    assert [(one.record.host, one.record.gpus) for one in stored] == [("", ())] * 4
    assert (stored[0].intermediate_count, stored[0].latest_intermediate["default"]) == (2, 0.2)
    assert math.isnan(stored[0].latest_intermediate["loss"])
    assert (stored[1].intermediate_count, stored[1].latest_intermediate) == (1, 0.5)
    assert storage.report_position("t0", 0) == ReportPosition(2, 1, {"1-a": 2}, 90)
    assert storage.report_position("t1", 0) == ReportPosition(1, 0, {"2-b": 0}, 30)
    best = storage.best_trial("maximize")
    assert best is not None
    assert best.record.trial_id == "t0"
    assert len(storage.metrics(kind=MetricKind.FINAL)) == 1
    assert len(storage.trials_changed_after(3)) == 3
    assert storage.trial_counts() == {
        TrialStatus.SUCCEEDED: 1,
        TrialStatus.RUNNING: 1,
        TrialStatus.WAITING: 2,
    }
    assert storage.trial_of_request("r") is None


def test_it_is_read_as_it_is(path: Path, version: int) -> None:
    before = path.read_bytes()
    reader = open_sqlite_storage(path, read_only=True)
    check_what_it_has(reader, version)
    assert len(reader.tuner_notes()) == (10 if version == 3 else 0)
    assert reader.committed_at() == (1010.0 if version == 3 else None)
    reader.close()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_it_is_brought_forward_with_a_history_and_goes_on(path: Path, version: int) -> None:
    storage = open_sqlite_storage(path)
    check_what_it_has(storage, version)
    assert storage.committed_at() == 1010.0
    assert [one.record.submitted for one in storage.trials()] == [True, True, True, False]
    assert [
        (one.note.kind.name, one.note.parameter_ids, one.note.trial_id) for one in storage.tuner_notes()
    ] == [
        ("ASKED", (0,), ""),
        ("PROPOSED", (0,), "t0"),
        ("ASKED", (1,), ""),
        ("PROPOSED", (1,), "t1"),
        ("ASKED", (2,), ""),
        ("PROPOSED", (2,), "t2"),
        ("ASKED", (3,), ""),
        ("PROPOSED", (3,), "t3"),
        ("FINAL_RESULT", (), "t0"),
        ("TRIAL_END", (), "t0"),
    ]
    assert {one.revision for one in storage.tuner_notes()} == {4}
    numbers = [one.note.number for one in storage.tuner_notes() if one.note.kind.name != "PROPOSED"]
    assert numbers == sorted(set(numbers)) and numbers[0] > 0
    assert {one.note.number for one in storage.tuner_notes() if one.note.kind.name == "PROPOSED"} == {0}
    note = TunerNote(TunerNoteKind.TRIAL_END, 99, (), "t0")
    newest = trial(4, submitted=True, attempt=1, host="gpu-a", gpus=("0", "1"))
    assert storage.commit([SaveTrial(newest), SaveTunerNotes((note,))]) == 5
    assert storage.tuner_notes()[-1].note == note
    storage.close()
    again = open_sqlite_storage(path, read_only=True)
    last = again.trial("t0004")
    assert last is not None
    assert last.record == newest
    again.close()


def test_a_reader_that_opened_it_before_reads_on_after(path: Path) -> None:
    reader = open_sqlite_storage(path, read_only=True)
    assert reader.revision() == 4
    storage = open_sqlite_storage(path)
    storage.commit([SaveTrial(trial(4, submitted=True))])
    assert [one.record.submitted for one in reader.trials()] == [True, True, True, False, True]
    assert reader.committed_at() == storage.committed_at()
    assert [one.intermediate_count for one in reader.trials(limit=2)] == [2, 1]
    reader.close()
    storage.close()
