from __future__ import annotations

import logging
from pathlib import Path

import pytest
from nni_config import ExperimentConfig
from nni_manager.experiments.parts import Parts
from nni_manager.experiments.service import ExperimentService
from nni_manager.storage.interface import StorageError
from nni_manager.storage.memory import MemoryStorage
from nni_manager.testing.simulated_algorithm import SimulatedAlgorithm
from nni_manager.testing.simulated_training import SimulatedTrainingService


class UnfoldableStorage(MemoryStorage):
    def close(self) -> None:
        super().close()
        raise StorageError("experiment.sqlite: cannot close the record: database or disk is full")


async def test_an_experiment_ends_though_its_record_cannot_be_folded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def open_storage(path: Path) -> MemoryStorage:
        path.touch()
        return UnfoldableStorage()

    parts = Parts(
        open_storage,
        lambda config, experiment_id, folder, emit: SimulatedTrainingService(emit, lambda parameters: [1.0]),
        lambda settings, emit: SimulatedAlgorithm(settings, emit),
        lambda experiment_id, trial_id: {},
    )
    service = ExperimentService(tmp_path, parts)
    config = ExperimentConfig("local")
    config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
    config.trial_command = "true"
    config.trial_code_directory = Path(__file__).parent
    config.trial_concurrency = 1
    config.tuner.name = "Random"
    await service.create(config, "e1", "r1")
    await service.start("e1")
    with caplog.at_level(logging.WARNING):
        view = await service.stop("e1")
    assert view.record.status.value == "STOPPED"
    assert "not one file" in caplog.text and "disk is full" in caplog.text
