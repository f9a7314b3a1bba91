from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nni_manager.engine.effects import SaveExperiment, SaveTrial
from nni_manager.engine.records import ExperimentRecord, TrialRecord
from nni_manager.engine.statuses import ExperimentStatus, ParameterSource, TrialStatus
from nni_manager.experiments.errors import InvalidArgumentError, WrongExperimentStatusError
from nni_manager.experiments.importance import ImportanceFailedError, ImportanceMeter, importance_question
from nni_manager.experiments.trial_table.keeping import TableKeeper
from nni_manager.experiments.trial_table.table import TrialTable
from nni_manager.storage.memory import MemoryStorage


def trial(number: int, parameters: Any, objective: float | None) -> TrialRecord:
    return TrialRecord(
        trial_id=f"t{number}",
        sequence_number=number,
        status=TrialStatus.SUCCEEDED if number % 2 else TrialStatus.FAILED,
        attempt=0,
        parameter_id=number,
        parameter_source=ParameterSource.ALGORITHM,
        parameters=parameters,
        created_at=1.0,
        has_final_result=objective is not None,
        final_result=objective,
        objective=objective,
    )


def table(trials: list[TrialRecord]) -> TrialTable:
    space = {"lr": {"_type": "loguniform", "_value": [1e-5, 1]}}
    record = ExperimentRecord("e", ExperimentStatus.RUNNING, {"searchSpace": space}, "maximize", 1.0)
    storage = MemoryStorage()
    storage.commit([SaveExperiment(record), *(SaveTrial(each) for each in trials)])
    return TableKeeper().table(storage, record)


def made(count: int) -> list[TrialRecord]:
    """Returns trials with a number of theirs, a nested one, and text; every fifth has no result."""
    return [
        trial(
            number,
            {"lr": 0.5**number, "layer": {"_name": "Conv", "k": number % 3}, "flag": number % 2 == 0},
            None if number % 5 == 4 else float(number),
        )
        for number in range(count)
    ]


def test_trials_with_a_result_are_asked_about() -> None:
    question = importance_question(table(made(20)), "", "")
    asked = json.loads(question.text)
    assert question.trial_count == 16 and len(asked["results"]) == 16
    assert [name for name, _ in asked["columns"]] == ["lr", "layer._name", "layer.k", "flag"]
    assert dict(asked["columns"])["flag"][:2] == ["true", "false"]


def test_of_many_trials_some_are_taken_the_first_and_the_last_among_them() -> None:
    trials = [trial(number, {"lr": 1.0}, float(number)) for number in range(2500)]
    results = json.loads(importance_question(table(trials), "objective", "").text)["results"]
    assert (len(results), results[0], results[-1]) == (2000, 0.0, 2499.0)


def test_too_few_trials_are_an_error_that_says_how_many_there_are() -> None:
    with pytest.raises(
        WrongExperimentStatusError, match="once 10 trials have a number as objective; there are 8"
    ):
        importance_question(table(made(10)), "", "")
    with pytest.raises(WrongExperimentStatusError, match=r"that the filter holds for .* there are 8"):
        importance_question(table(made(20)), "", "status = SUCCEEDED")


@pytest.mark.parametrize(("metric", "filter_text"), [("metric.lss", ""), ("", "lr >"), ("learning", "")])
def test_a_wrong_column_or_filter_is_an_error(metric: str, filter_text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        importance_question(table(made(20)), metric, filter_text)


async def test_a_process_answers_and_the_same_question_again_needs_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meter = ImportanceMeter()
    question = importance_question(table(made(20)), "", "")
    first = await meter.answer(question)
    assert first.importances[0].parameter == "lr"
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert await meter.answer(question) is first


def no_library(folder: Path, text: str) -> None:
    (folder / "scipy").mkdir()
    (folder / "scipy" / "__init__.py").write_text(text)


async def test_a_missing_library_is_an_error_that_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_library(tmp_path, "raise ModuleNotFoundError('no', name='sklearn')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(WrongExperimentStatusError, match=r'sklearn.*pip install "nni-manager\[importance\]"'):
        await ImportanceMeter().answer(importance_question(table(made(20)), "", ""))


async def test_a_process_that_fails_is_told_with_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_library(tmp_path, "raise SystemExit('it broke')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ImportanceFailedError, match=r"exit code 1.*it broke"):
        await ImportanceMeter().answer(importance_question(table(made(20)), "", ""))
