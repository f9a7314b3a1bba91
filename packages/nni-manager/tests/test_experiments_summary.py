"""The summary that lists read, kept beside the record."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from nni_config.experiment_summary import read_summary
from nni_manager.engine.effects import SaveExperiment, SaveTrial
from nni_manager.engine.records import ExperimentRecord, TrialRecord
from nni_manager.engine.statuses import ExperimentStatus, ParameterSource, TrialStatus
from nni_manager.experiments import summary_file
from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.experiments.summary_file import SummaryFile
from nni_manager.storage.memory import MemoryStorage

RECORD = ExperimentRecord(
    "abc",
    ExperimentStatus.RUNNING,
    {
        "experimentName": "name",
        "trainingService": {"platform": "local"},
        "maxTrialNumber": 9,
        "password": "x",
    },
    "minimize",
    created_at=1.0,
    started_at=2.0,
)


def trial(number: int, status: TrialStatus, objective: float | None = None) -> SaveTrial:
    return SaveTrial(
        TrialRecord(
            f"t{number}", number, status, 0, number, ParameterSource.ALGORITHM, {}, 1.0, objective=objective
        )
    )


class Keeper:
    """Stores a batch and tells the summary, as the runner does."""

    def __init__(self, folder: Path) -> None:
        self.storage = MemoryStorage()
        self.storage.commit([SaveExperiment(RECORD)])
        self.summary = SummaryFile(RECORD, self.storage, ExperimentFolder(folder))

    def store(self, *writes: SaveExperiment | SaveTrial) -> None:
        self.storage.commit(writes)
        self.summary.stored(writes)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock: its only element."""
    clock = [1000.0]
    monkeypatch.setattr(summary_file.time, "monotonic", lambda: clock[0])
    return clock


def test_it_is_there_from_the_beginning(tmp_path: Path) -> None:
    Keeper(tmp_path)
    summary = read_summary(tmp_path)
    assert summary is not None
    assert (summary.experiment_id, summary.name, summary.status) == ("abc", "name", "RUNNING")
    assert (summary.platform, summary.max_trial_number, summary.optimize_mode) == ("local", 9, "minimize")
    assert (summary.created_at, summary.started_at, summary.ended_at) == (1.0, 2.0, None)
    assert "password" not in (tmp_path / "summary.json").read_text()


def test_a_change_of_status_is_written_at_once(tmp_path: Path, now: list[float]) -> None:
    keeper = Keeper(tmp_path)
    keeper.store(SaveExperiment(replace(RECORD, paused=True)))
    assert read_summary(tmp_path).paused
    done = replace(RECORD, status=ExperimentStatus.DONE, ended_at=5.0)
    keeper.store(
        trial(0, TrialStatus.SUCCEEDED, 0.5), trial(1, TrialStatus.SUCCEEDED, 0.25), SaveExperiment(done)
    )
    summary = read_summary(tmp_path)
    assert (summary.status, summary.ended_at, summary.paused) == ("DONE", 5.0, False)
    assert summary.trial_counts == {"SUCCEEDED": 2}
    assert (summary.best_trial_id, summary.best_objective) == ("t1", 0.25)


def test_the_number_of_trials_is_written_now_and_then(tmp_path: Path, now: list[float]) -> None:
    keeper = Keeper(tmp_path)
    keeper.store(trial(0, TrialStatus.RUNNING))
    assert read_summary(tmp_path).trial_counts == {}
    now[0] += 2.0
    keeper.store(trial(1, TrialStatus.RUNNING))
    assert read_summary(tmp_path).trial_counts == {"RUNNING": 2}
    keeper.store(trial(1, TrialStatus.FAILED))
    assert read_summary(tmp_path).trial_counts == {"RUNNING": 2}


def test_that_it_cannot_be_written_is_told_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        keeper = Keeper(tmp_path / "gone")
        for status in (ExperimentStatus.STOPPING, ExperimentStatus.STOPPED):
            keeper.store(SaveExperiment(replace(RECORD, status=status)))
    assert caplog.text.count("cannot be written") == 1
    (tmp_path / "gone").mkdir()
    keeper.store(SaveExperiment(replace(RECORD, status=ExperimentStatus.DONE)))
    assert read_summary(tmp_path / "gone").status == "DONE"


def test_several_platforms_and_none(tmp_path: Path) -> None:
    for service, platform in (
        ([{"platform": "local"}, {"platform": "remote"}], "local,remote"),
        (None, ""),
    ):
        storage = MemoryStorage()
        record = replace(RECORD, config={"trainingService": service})
        storage.commit([SaveExperiment(record)])
        SummaryFile(record, storage, ExperimentFolder(tmp_path))
        assert read_summary(tmp_path).platform == platform
