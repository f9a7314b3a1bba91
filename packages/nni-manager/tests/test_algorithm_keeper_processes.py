"""Tuners and assessors in real processes that are killed, stopped, and made anew out of a record."""

from __future__ import annotations

import asyncio
import os
import signal
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from nni_manager.engine.effects import (
    RequestParameters,
    SaveExperiment,
    SaveMetrics,
    SaveTrial,
    SaveTunerNotes,
    TellFinalResult,
    TellIntermediateResult,
    TellTrialEnd,
)
from nni_manager.engine.events import (
    AlgorithmFailed,
    ParametersProposed,
    ParametersRefused,
    TrialJudgedBad,
    TunerProcessed,
    WarningRaised,
)
from nni_manager.engine.records import ExperimentRecord, MetricRecord, TrialRecord, TunerNote
from nni_manager.engine.statuses import ExperimentStatus, MetricKind, ParameterSource, TrialStatus
from nni_manager.engine.statuses import TunerNoteKind as Kind
from nni_manager.experiments.algorithm_history import assessor_history, tuner_history
from nni_manager.experiments.algorithm_keeper import KeptAlgorithm
from nni_manager.storage.memory import MemoryStorage
from nni_manager.tuning.algorithm_process import AlgorithmProcess
from nni_manager.tuning.interface import AlgorithmSettings, Emit, History

SPACE = {"x": {"_type": "uniform", "_value": [0, 1]}, "c": {"_type": "choice", "_value": ["a", "b", "c"]}}

HEADER = """
import os, random
from nni.tuner import Tuner
class Base(Tuner):
    def update_search_space(self, search_space):
        self.total = 0
    def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
        self.total += value
    def generate_parameters(self, parameter_id, **kwargs):
        return {"x": self.total * (parameter_id + 1) % 1}
    def import_data(self, data):
        print("imported", len(data), flush=True)
"""


class Experiment:
    """What an engine does with a tuner: stores, then tells; stores what comes.

    Attributes:
        proposals: What was proposed, by id.
    """

    def __init__(self, settings: AlgorithmSettings) -> None:
        self.proposals: dict[int, Any] = {}
        self.warnings: list[str] = []
        self.failure: AlgorithmFailed | None = None
        self.verdicts: list[str] = []
        self.process: AlgorithmProcess | None = None
        self.log = settings.log_directory / "dispatcher.log"
        self._settings = settings
        self._number = 0
        self._processed = 0
        self._changed = asyncio.Event()
        self._storage = MemoryStorage()
        record = ExperimentRecord(
            "abcdefgh", ExperimentStatus.RUNNING, {"searchSpace": SPACE}, "minimize", 0.0
        )
        self._storage.commit([SaveExperiment(record)])
        self.kept = KeptAlgorithm(self._make, self._read, self._take, settings.kind)

    def _make(self, emit: Emit) -> AlgorithmProcess:
        self.process = AlgorithmProcess(self._settings, emit)
        return self.process

    async def _read(self) -> History:
        read = tuner_history if self._settings.kind == "tuner" else assessor_history
        return await asyncio.to_thread(read, self._storage)

    def _take(self, event: Any) -> None:
        self._changed.set()
        if isinstance(event, ParametersProposed):
            if event.parameter_id in self.proposals:
                return
            self.proposals[event.parameter_id] = event.parameters
            trial = TrialRecord(
                f"trial{event.parameter_id}",
                event.parameter_id,
                TrialStatus.RUNNING,
                0,
                event.parameter_id,
                ParameterSource.ALGORITHM,
                event.parameters,
                0.0,
            )
            note = TunerNote(Kind.PROPOSED, 0, (event.parameter_id,), trial.trial_id)
            self._storage.commit([SaveTrial(trial), SaveTunerNotes((note,))])
        elif isinstance(event, ParametersRefused):
            self._storage.commit([SaveTunerNotes((TunerNote(Kind.REFUSED, 0, event.parameter_ids),))])
        elif isinstance(event, TunerProcessed):
            self._processed = max(self._processed, event.number)
        elif isinstance(event, WarningRaised):
            self.warnings.append(event.message)
        elif isinstance(event, TrialJudgedBad):
            self.verdicts.append(event.trial_id)
        else:
            assert isinstance(event, AlgorithmFailed)
            self.failure = event

    @property
    def pid(self) -> int:
        assert self.process is not None
        assert self.process._connection is not None
        return self.process._connection.pid

    def ask(self, *ids: int) -> None:
        self._number += 1
        self._storage.commit([SaveTunerNotes((TunerNote(Kind.ASKED, self._number, ids),))])
        self.kept.tell(RequestParameters(self._number, ids))

    def finish(self, parameter_id: int, value: float) -> None:
        trial_id, parameters = f"trial{parameter_id}", self.proposals[parameter_id]
        trial = TrialRecord(
            trial_id,
            parameter_id,
            TrialStatus.SUCCEEDED,
            0,
            parameter_id,
            ParameterSource.ALGORITHM,
            parameters,
            0.0,
            has_final_result=True,
            final_result=value,
        )
        result, end = self._number + 1, self._number + 2
        self._number += 2
        notes = (
            TunerNote(Kind.FINAL_RESULT, result, (), trial_id),
            TunerNote(Kind.TRIAL_END, end, (), trial_id),
        )
        self._storage.commit([SaveTrial(trial), SaveTunerNotes(notes)])
        self.kept.tell(TellFinalResult(result, trial_id, parameter_id, parameters, value, customized=False))
        self.kept.tell(TellTrialEnd(end, trial_id, parameter_id, TrialStatus.SUCCEEDED))

    def report(self, trial_id: str, index: int, value: float, attempt: int = 0) -> None:
        metric = MetricRecord(trial_id, attempt, MetricKind.INTERMEDIATE, index, value, 0.0)
        trial = TrialRecord(
            trial_id, len(trial_id), TrialStatus.RUNNING, attempt, 0, ParameterSource.ALGORITHM, {}, 0.0
        )
        self._storage.commit([SaveTrial(trial), SaveMetrics(trial_id, attempt, (metric,), {}, None)])
        self.kept.tell(TellIntermediateResult(trial_id, 0, index, value))

    async def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._changed.clear()
            await self._changed.wait()

    async def idle(self) -> None:
        """Returns once the tuner has dealt with everything."""
        await self.until(lambda: self._processed == self._number or self.failure is not None)

    async def stop_process(self) -> None:
        process = psutil.Process(self.pid)
        process.suspend()
        while process.status() != psutil.STATUS_STOPPED:
            await asyncio.sleep(0.001)

    async def search(self, rounds: int, troubles: dict[int, str]) -> None:
        """Does some rounds of a search, in each of which something may happen to the process."""
        for number in range(rounds):
            trouble, pid = troubles.get(number, ""), self.pid
            if trouble == "killed while idle":
                os.kill(pid, signal.SIGKILL)
            elif trouble:
                await self.stop_process()
            if number:
                self.finish(number - 1, (number * 7) % 5)
            if trouble == "killed while told":
                os.kill(pid, signal.SIGKILL)
            self.ask(2 * number, 2 * number + 1)
            if trouble == "killed while asked":
                os.kill(pid, signal.SIGKILL)
            elif trouble == "stopped":
                await asyncio.sleep(0.5)
                os.kill(pid, signal.SIGCONT)
            await self.idle()


MakeExperiment = Callable[..., Experiment]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[MakeExperiment]:
    experiments: list[Experiment] = []

    def made(name: str | None = None, code: str = "", **settings: Any) -> Experiment:
        folder = tmp_path / str(len(experiments))
        (folder / "code").mkdir(parents=True)
        (folder / "code" / "mine.py").write_text(HEADER + textwrap.dedent(code))
        chosen: dict[str, Any] = {
            "kind": "tuner",
            "name": name,
            "class_name": None if name else "mine.My",
            "code_directory": None if name else str(folder / "code"),
            "class_args": None,
            "search_space": SPACE,
            "optimize_mode": "minimize",
            "log_directory": folder / "log",
            "checkpoint_directory": folder / "checkpoint",
            **settings,
        }
        experiments.append(Experiment(AlgorithmSettings(**chosen)))
        return experiments[-1]

    yield made
    for experiment in experiments:
        await experiment.kept.close()


TROUBLES = {
    2: "killed while idle",
    3: "killed while asked",
    5: "killed while told",
    6: "stopped",
    7: "killed while asked",
    9: "killed while told",
}
"""What happens in which round: 5 deaths, and 20 suggestions after the last one."""


@pytest.mark.parametrize("name", ["TPE", "Random", "GridSearch", None])
async def test_a_tuner_that_is_killed_again_and_again_goes_on_as_if_nothing_were(
    make: MakeExperiment, name: str | None
) -> None:
    settings: dict[str, Any] = {"code": "class My(Base): pass"} if name is None else {"name": name}
    if name in ("TPE", "Random"):
        settings["class_args"] = {"seed": 11}
    if name == "TPE":
        # Else it would not use what it heard before the 20th result.
        settings["class_args"]["tpe_args"] = {"n_startup_jobs": 2}
    proposals = []
    for troubles in ({}, TROUBLES):
        experiment = make(**settings)
        await experiment.kept.start()
        await experiment.search(20, troubles)
        proposals.append(experiment.proposals)
        assert experiment.failure is None
        restarts = {"the tuner died (signal 9) and was restarted; its history was replayed"}
        assert set(experiment.warnings) == (restarts if troubles else set())
        assert len(experiment.warnings) == (5 if troubles else 0)
    assert proposals[0] == proposals[1]
    assert len(proposals[0]) == 40


async def test_a_tuner_with_random_numbers_of_its_own_imports_the_results(make: MakeExperiment) -> None:
    experiment = make(
        code="""
        class My(Base):
            def generate_parameters(self, parameter_id, **kwargs):
                return {"x": random.random()}
        """
    )
    await experiment.kept.start()
    await experiment.search(10, {7: "killed while asked"})
    assert experiment.failure is None
    (warning,) = experiment.warnings
    assert warning.startswith(
        "the tuner died (signal 9) and was restarted; a replay of its history differed ("
    )
    assert warning.endswith("), so that it imported the results instead")
    assert "parameters of id 0: " in warning
    assert len(experiment.proposals) == 20
    assert "imported 7\n" in experiment.log.read_text()


async def test_a_tuner_that_dies_of_what_it_is_told_fails_after_three_deaths(make: MakeExperiment) -> None:
    experiment = make(
        code="""
        class My(Base):
            def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
                if value == 3:
                    print("this is too much", flush=True)
                    os._exit(7)
        """
    )
    await experiment.kept.start()
    experiment.ask(0, 1)
    await experiment.idle()
    experiment.finish(0, 1)
    await experiment.idle()
    experiment.finish(1, 3)
    await experiment.until(lambda: experiment.failure is not None)
    assert experiment.failure is not None
    message = "it died 3 times in a row, the last time: its process exited with exit code 7"
    assert experiment.failure.message == message
    assert "this is too much" in experiment.failure.traceback
    assert experiment.log.read_text().count("this is too much") == 3


async def test_a_change_of_the_search_space_outlives_the_tuner(make: MakeExperiment) -> None:
    experiment = make("Random", class_args={"seed": 1})
    await experiment.kept.start()
    await experiment.stop_process()
    changing = asyncio.create_task(
        experiment.kept.change_search_space(1, {"new": {"_type": "choice", "_value": [1]}})
    )
    await asyncio.sleep(0)
    os.kill(experiment.pid, signal.SIGKILL)
    await changing
    experiment._number = 1
    experiment.ask(0)
    await experiment.idle()
    assert experiment.proposals == {0: {"new": 1}}


async def test_closing_while_it_is_made_anew_leaves_no_process(make: MakeExperiment) -> None:
    experiment = make("Random")
    await experiment.kept.start()
    first = experiment.pid
    os.kill(first, signal.SIGKILL)
    while experiment.process is None or experiment.process._connection is None or experiment.pid == first:
        await asyncio.sleep(0.001)
    second = psutil.Process(experiment.pid)
    await experiment.kept.close(grace_seconds=0)
    assert not second.is_running()
    assert experiment.warnings == []
    assert experiment.failure is None


async def test_an_assessor_that_is_killed_knows_every_result(make: MakeExperiment) -> None:
    experiment = make(
        kind="assessor",
        code="""
        from nni.assessor import Assessor
        class My(Assessor):
            def assess_trial(self, trial_job_id, trial_history):
                return sum(trial_history) < 10
        """,
    )
    await experiment.kept.start()
    experiment.report("trial", 0, 4)
    experiment.report("retried", 0, 9)
    os.kill(experiment.pid, signal.SIGKILL)
    experiment.report("trial", 1, 5)
    experiment.report("retried", 0, 1, attempt=1)
    await experiment.until(lambda: bool(experiment.warnings))
    experiment.report("retried", 1, 2, attempt=1)
    experiment.report("trial", 2, 2)
    await experiment.until(lambda: bool(experiment.verdicts))
    assert experiment.verdicts == ["trial"]
    assert experiment.warnings == ["the assessor died (signal 9) and was restarted; its history was replayed"]
