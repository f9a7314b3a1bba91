"""The training-service contracts for a service that places trials on hosts, here two on this machine."""

import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from nni_config.processes import process_start_time
from nni_manager.testing.reuse_mode import ReuseModeContract
from nni_manager.testing.training_service import GRACE_SECONDS, TrainingServiceContract
from nni_manager.training.host import Host, HostEmit, HostRules
from nni_manager.training.interface import Emit, TrainingService
from nni_manager.training.local.host import LocalHost
from nni_manager.training.placing import PlacingService

NAMES = ("host-a", "host-b")


class NamedHost(LocalHost):
    """One of two hosts that are both this machine, each with a folder of its own."""

    def __init__(
        self, name: str, folder: Path, code: Path, command: str, reuse: bool, emit: HostEmit
    ) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(
            experiment_id="exp00001",
            experiment_directory=folder,
            code_directory=code,
            command=command,
            emit=emit,
            grace_seconds=GRACE_SECONDS,
            reuse_mode=reuse,
        )
        self.name = name


class PlacedPlace:
    """One experiment's folder, and in it those of two hosts."""

    def __init__(self, folder: Path, names: tuple[str, ...], durable: bool, reuse: bool) -> None:
        self.experiment = folder / "experiment"
        self.code = folder / "code"
        self.names = names
        self.durable = durable
        self.reuse = reuse
        self.experiment.mkdir()
        self.code.mkdir()

    def service(self, command: str, emit: Emit) -> TrainingService:
        return PlacingService(
            hosts=[(partial(self._host, name, command), HostRules()) for name in self.names],
            experiment_directory=self.experiment,
            emit=emit,
            durable=self.durable,
        )

    def _host(self, name: str, command: str, emit: HostEmit) -> Host:
        return NamedHost(name, self.experiment / name, self.code, command, self.reuse, emit)

    def write_code(self, name: str, text: str) -> None:
        path = self.code / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def remove_code(self) -> None:
        shutil.rmtree(self.code)

    def read(self, trial_id: str, name: str) -> bytes:
        (folder,) = (
            found for host in self.names if (found := self.experiment / host / "trials" / trial_id).is_dir()
        )
        return (folder / name).read_bytes()

    def is_alive(self, pid: int) -> bool:
        return process_start_time(pid) is not None


class TestTwoHosts(TrainingServiceContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> PlacedPlace:
        return PlacedPlace(tmp_path, NAMES, durable=True, reuse=False)


class TestOneHostWithReuseMode(ReuseModeContract):
    @pytest.fixture
    def place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlacedPlace]:
        runtime = Path(tempfile.mkdtemp(dir="/tmp"))  # short, since a socket lies in it
        monkeypatch.setenv("NNI_RUNTIME_DIR", str(runtime))
        yield PlacedPlace(tmp_path, NAMES[:1], durable=False, reuse=True)
        shutil.rmtree(runtime)
