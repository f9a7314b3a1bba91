"""The training-service contracts for trials on this machine, with reuse mode on."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from nni_config.processes import process_start_time
from nni_manager.testing.reuse_mode import ReuseModeContract
from nni_manager.testing.training_service import GRACE_SECONDS, TrainingServiceContract
from nni_manager.training.interface import Emit, TrainingService
from nni_manager.training.local import LocalTrainingService


class ReusingPlace:
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
            reuse_mode=True,
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


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReusingPlace]:
    runtime = Path(tempfile.mkdtemp(dir="/tmp"))  # short, since a socket lies in it
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(runtime))
    yield ReusingPlace(tmp_path)
    left = list(runtime.iterdir())
    shutil.rmtree(runtime)
    assert left == []


class TestLoopingScripts(ReuseModeContract):
    pass


class TestScriptsThatAskOnceOrNever(TrainingServiceContract):
    pass
