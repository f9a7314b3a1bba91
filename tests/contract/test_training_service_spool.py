"""The training-service contract for a job that is followed by files in a shared storage alone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from nni import spool as job_spool
from nni_config.processes import process_start_time
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.testing.training_service import GRACE_SECONDS, TrainingServiceContract
from nni_manager.training import courier_messages as messages
from nni_manager.training.interface import Emit, TrainingService, TrialRun
from nni_manager.training.spool import JobSpool
from nni_manager.training.trial_environment import trial_environment

POLL_SECONDS = 0.05
SDK = Path(job_spool.__file__).parents[1]


class SpoolService:
    """Runs all trials in one job, which goes on when the service is closed."""

    def __init__(self, place: SpoolPlace, command: str, emit: Emit) -> None:
        self._place = place
        self._command = command
        self._environment = trial_environment("spool", str(place.code), None)
        self._spool = JobSpool(place.files, "job", emit, poll_seconds=POLL_SECONDS)

    async def start(self) -> None:
        self._place.start_job()
        await self._spool.open()

    def submit(self, run: TrialRun) -> None:
        order = messages.launch(run, self._command, str(self._place.code), self._environment, ())
        self._spool.launch(run.trial_id, run.attempt, order)

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        self._spool.adopt(trial_id, attempt, acknowledged_offset)

    def cancel(self, trial_id: str, attempt: int) -> None:
        self._spool.cancel(trial_id, attempt, signal.SIGINT, GRACE_SECONDS)

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> None:
        self._spool.acknowledge(trial_id, attempt, offset)

    def release(self) -> None:
        return

    def output_directory(self, trial_id: str) -> str:
        return str(self._place.experiment / "trials" / trial_id)

    async def close(self) -> None:
        await self._spool.close()


class SpoolPlace:
    """A folder that stands for a shared storage, and a job that nobody speaks to."""

    def __init__(self, folder: Path) -> None:
        self.experiment = folder / "experiment"
        self.code = folder / "code"
        self.shared = folder / "shared"
        for path in (self.experiment, self.code, self.shared):
            path.mkdir()
        self.files = MountedFiles(self.shared)
        self.job: subprocess.Popen[bytes] | None = None

    def start_job(self) -> None:
        if self.job is None:
            options = ["--experiment-id", "exp00001", "--experiment-directory", str(self.experiment)]
            options += ["--job", "job", "--folder", str(self.shared), "--poll-seconds", str(POLL_SECONDS)]
            self.job = subprocess.Popen(
                [sys.executable, "-S", "-m", "nni.spool", *options, "--grace-seconds", str(GRACE_SECONDS)],
                env={**os.environ, "PYTHONPATH": str(SDK)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def service(self, command: str, emit: Emit) -> TrainingService:
        return SpoolService(self, command, emit)

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

    def end_job(self) -> None:
        if self.job is not None:
            with contextlib.suppress(ProcessLookupError):
                self.job.terminate()
            self.job.wait(30)


class TestSpool(TrainingServiceContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Iterator[SpoolPlace]:
        place = SpoolPlace(tmp_path)
        yield place
        place.end_job()
