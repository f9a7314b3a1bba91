"""Row 120: every built-in tuner goes on after a resume as if nothing had been, whatever trials reported."""

from __future__ import annotations

import asyncio
import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
from nni_config import ExperimentConfig
from nni_manager.algorithms.registry import built_in_algorithms
from nni_manager.engine.events import TrialStarted
from nni_manager.engine.statuses import ExperimentStatus, ParameterSource, TrialStatus
from nni_manager.experiments.parts import Parts
from nni_manager.experiments.recording import reopen_experiment
from nni_manager.experiments.service import ExperimentService
from nni_manager.experiments.views import ExperimentUpdate
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.simulated_training import SimulatedTrainingService
from nni_manager.training.interface import TrialRun
from nni_manager.tuning.algorithm_process import AlgorithmProcess

ID = "e1"
SPACE = {
    "x": {"_type": "uniform", "_value": [0, 1]},
    "n": {"_type": "randint", "_value": [0, 9]},
    "kind": {"_type": "choice", "_value": ["a", "b"]},
}
POINTS = [{"x": index / 100, "n": index, "kind": "a"} for index in range(50)]
SPACES = {"Batch": {"combine_params": {"_type": "choice", "_value": POINTS}}}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "TPE": {"tpe_args": {"n_startup_jobs": 4}},
    "Evolution": {"population_size": 4},
    "Optuna": {"sampler_args": {"n_startup_trials": 4}},
    "PBT": {"population_size": 4},
    "Hyperband": {"R": 9},
    "BOHB": {"max_budget": 9, "min_points_in_model": 3},
    "GP": {"cold_start_num": 4},
    "Metis": {"cold_start_num": 4},
    "SMAC": {"config_dedup": True},
}
CHOSEN = [{"x": 0.5, "n": 3, "kind": "b"}, {"x": 0.25, "n": 3, "kind": "a"}, {"x": 0.75, "n": 4, "kind": "a"}]
BEFORE, TRIALS = 12, 20
PATIENCE = 200.0


class OddTrials(SimulatedTrainingService):
    """Trials with results of every kind; some fail, with a result or without one."""

    def _run(self, run: TrialRun) -> None:
        number, x = run.sequence_number, (run.parameters or {}).get("x", 0.0)
        self._emit(TrialStarted(run.trial_id, run.attempt, time.time()))
        result = [x, {"default": x, "loss": None, "text": "ü"}, math.nan, {"default": math.nan}, -math.inf][
            number % 5
        ]
        if number % 7 != 1:
            self.report(run.trial_id, {"default": x, "step": 0}, result)
        self.end(run.trial_id, int(number % 7 in (1, 4)))


class Life:
    """An experiment and the managers that run it."""

    def __init__(self, folder: Path, tuner: str) -> None:
        self._folder = folder
        self._parts = Parts(
            open_sqlite_storage,
            lambda config, experiment_id, experiment_folder, emit: OddTrials(emit, None),
            lambda settings, emit: AlgorithmProcess(settings, emit, None),
            lambda experiment, trial: {},
        )
        self._service = ExperimentService(folder, self._parts)
        self._config = ExperimentConfig(
            "local",
            search_space=SPACES.get(tuner, SPACE),
            trial_command="true",
            trial_code_directory=folder,
            trial_concurrency=1,
            max_trial_number=BEFORE,
            initial_parameters=None if tuner in ("Batch", "PBT") else CHOSEN,
            stop_on_early_failures=False,
        )
        self._config.tuner.name = tuner
        self._config.tuner.class_args = {**ARGUMENTS.get(tuner, {}), "seed": 5}

    async def begin(self) -> None:
        await self._service.create(self._config, ID, "r1")
        await self._service.start(ID)
        await self._until_done(BEFORE)

    async def go_on(self) -> None:
        await self._service.update(ID, ExperimentUpdate(max_trial_number=TRIALS))
        await self._until_done(TRIALS)

    async def resume(self) -> None:
        await self.close()
        self._service = ExperimentService(
            self._folder, self._parts, reopen_experiment(self._folder, ID, self._parts)
        )
        self._config.max_trial_number = TRIALS
        await self._service.resume(ID, self._config.canonical_copy())
        await self._until_done(TRIALS)

    async def close(self) -> None:
        await self._service.stop(ID)
        await self._service.close(by_user=True, message="the test has ended")

    async def trials(self) -> list[Any]:
        views = await self._service.trials(ID, -1, 1000, ())
        return sorted((view.stored.record for view in views), key=lambda it: it.sequence_number)

    async def _until_done(self, count: int) -> None:
        async def follow() -> None:
            async for change in self._service.watch(ID, 0, False):
                assert change.experiment.record.status is not ExperimentStatus.ERROR, change.experiment.record
                record = (await self._service.get(ID)).record
                if record.status is ExperimentStatus.DONE and len(await self.trials()) == count:
                    return

        await asyncio.wait_for(follow(), PATIENCE)


TUNERS = [
    pytest.param(it.name, marks=[pytest.mark.slow] if it.packages else [])
    for it in built_in_algorithms("tuner")
]


@pytest.mark.parametrize("tuner", TUNERS)
async def test_a_resumed_tuner_goes_on_as_an_undisturbed_one(tmp_path: Path, tuner: str) -> None:
    suggestions = []
    for name in ("undisturbed", "resumed"):
        folder = tmp_path / name
        folder.mkdir()
        life = Life(folder, tuner)
        await life.begin()
        await (life.go_on() if name == "undisturbed" else life.resume())
        trials = await life.trials()
        await life.close()
        assert len(trials) == TRIALS
        assert {trial.status for trial in trials} == {TrialStatus.SUCCEEDED, TrialStatus.FAILED}
        if tuner not in ("Batch", "PBT"):
            assert [trial.parameter_source for trial in trials[:3]] == [ParameterSource.INITIAL] * 3
        suggestions.append(json.dumps([trial.parameters for trial in trials]).replace(str(folder), ""))
    assert suggestions[0] == suggestions[1]
