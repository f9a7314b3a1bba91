"""The training-service contract for trials on this machine."""

import shutil
from pathlib import Path

import pytest
from nni_config.processes import process_start_time
from nni_manager.testing.training_service import GRACE_SECONDS, TrainingServiceContract
from nni_manager.training.interface import Emit, TrainingService
from nni_manager.training.local import LocalTrainingService


class LocalPlace:
    """One experiment's folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self.experiment = folder / "experiment"
        self.code = folder / "code"
        self.experiment.mkdir()
        self.code.mkdir()

    def service(self, command: str, emit: Emit) -> TrainingService:
        return LocalTrainingService(
            experiment_id="exp00001",
            experiment_directory=self.experiment,
            code_directory=self.code,
            command=command,
            emit=emit,
            grace_seconds=GRACE_SECONDS,
        )

    def write_code(self, name: str, text: str) -> None:
        path = self.code / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def remove_code(self) -> None:
        shutil.rmtree(self.code)

    def read(self, trial_id: str, name: str) -> bytes:
        return (self.experiment / "trials" / trial_id / name).read_bytes()

    def is_alive(self, pid: int) -> bool:
        return process_start_time(pid) is not None


class TestLocalTrainingService(TrainingServiceContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> LocalPlace:
        return LocalPlace(tmp_path)
