from __future__ import annotations

import math
from pathlib import Path

import pytest
from nni_config.experiment_folders import find_experiments
from nni_manager.engine.statuses import MetricKind, ParameterSource, TrialStatus
from nni_manager.storage.interface import StoredTrial
from nni_manager.storage.sqlite import open_sqlite_storage
from workspace.launch import ToolError
from workspace.made_experiment.making import make
from workspace.made_experiment.space import HTML, LONG_NAME

TRIALS = 600


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("made"), "made", TRIALS, 5, seed=0, files=2)


def trials(folder: Path) -> list[StoredTrial]:
    storage = open_sqlite_storage(folder / "db" / "experiment.sqlite", read_only=True)
    try:
        return storage.trials()
    finally:
        storage.close()


def test_it_is_an_experiment_that_can_be_found(made: Path) -> None:
    (found,) = find_experiments([made.parent])
    assert found.has_record and found.experiment_id == "made"


def test_it_has_what_a_page_has_to_bear(made: Path) -> None:
    records = [trial.record for trial in trials(made)]
    assert [record.sequence_number for record in records] == list(range(TRIALS))
    statuses = {record.status for record in records}
    assert statuses == {status for status in TrialStatus if status.is_final}
    finals = [record.final_result for record in records if record.has_final_result]
    numbers = {str(final) for final in finals if not isinstance(final, dict)}
    assert {"nan", "inf", "-inf"} < numbers
    assert any(isinstance(final, dict) and math.isnan(final["loss"]) for final in finals)
    customised = [it for it in records if it.parameter_source is ParameterSource.CUSTOMIZED]
    assert customised and all(it.parameter_id is None for it in customised)
    text = str(records)
    assert HTML in text and LONG_NAME in text and "形状" in text


def test_intermediate_results_are_there_and_files_of_some_trials(made: Path) -> None:
    storage = open_sqlite_storage(made / "db" / "experiment.sqlite", read_only=True)
    try:
        count = len(storage.metrics(kind=MetricKind.INTERMEDIATE))
    finally:
        storage.close()
    assert TRIALS * 3 < count < TRIALS * 5
    folders = sorted((made / "trials").iterdir())
    assert len(folders) == 2
    assert {path.name for path in folders[0].iterdir()} == {"results", "stderr", "stdout", "trial.log"}


def test_the_same_seed_makes_the_same_trials(tmp_path: Path) -> None:
    def made_with(seed: int, where: str) -> str:
        folder = make(tmp_path / where, "made", 30, 2, seed, files=0)
        return str([trial.record for trial in trials(folder)])

    assert made_with(1, "a") == made_with(1, "b") != made_with(2, "c")


def test_an_experiment_that_is_there_is_left_alone(made: Path) -> None:
    with pytest.raises(ToolError, match="there is an experiment in"):
        make(made.parent, "made", 1, 1, 0, 0)
