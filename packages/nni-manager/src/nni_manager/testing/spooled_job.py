"""A job of a cluster as a process of this machine, and a training service that runs all trials in one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nni import spool as job_spool
from nni_config import ExperimentConfig

from nni_manager.shared_storage.interface import SharedFiles
from nni_manager.shared_storage.mounted_files import MountedFiles
from nni_manager.training import courier_messages as messages
from nni_manager.training.interface import ServiceEmit, TrainingService, TrialRun
from nni_manager.training.jobs.direct import DirectReports
from nni_manager.training.spool import JobSpool
from nni_manager.training.trial_environment import trial_environment

JOB = "job"
"""The name of the one job."""

_SDK = Path(job_spool.__file__).parents[1]
_GRACE_SECONDS = 2.0
_EVENTS = f"spool/{JOB}/events.jsonl"


class UnseenEvents(MountedFiles):
    """A storage that shows this side nothing of the job's events, as a slow one does for a while."""

    def read(self, name: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Returns what a file holds, nothing of the events."""
        return b"" if name == _EVENTS else super().read(name, offset, limit)

    def size(self, name: str) -> int:
        """Returns how many bytes a file has, 0 for the events."""
        return 0 if name == _EVENTS else super().size(name)


@dataclass
class SpooledJob:
    """`python -m nni.spool` in a session of its own.

    Attributes:
        shared: The folder that stands for the storage.
        own: The job's own folder.
        experiment_id: The experiment.
        secrets: Secret variables of the job.
        python: What runs it.
        process: The process, None before `start`.
    """

    shared: Path
    own: Path
    experiment_id: str
    secrets: Mapping[str, str] = field(default_factory=dict)
    python: str = sys.executable
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it."""
        self.own.mkdir(exist_ok=True)
        options = ["--experiment-id", self.experiment_id, "--experiment-directory", str(self.own)]
        options += ["--job", JOB, "--folder", str(self.shared), "--poll-seconds", "0.05"]
        variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(_SDK), "PYTHONDONTWRITEBYTECODE": "1"}
        with (self.own / "job.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.python, "-m", "nni.spool", *options, "--grace-seconds", str(_GRACE_SECONDS)],
                env={**variables, **self.secrets},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def end(self) -> None:
        """Ends it, if it has not ended."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()
            self.process.wait(30)


class SpooledService:
    """Runs all trials in one job, which is started once and goes on when the manager ends.

    The job is told how to reach the manager, and the events are never looked for in the storage.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        experiment_id: str,
        folder: Path,
        emit: ServiceEmit,
        direct: DirectReports,
    ) -> None:
        """Makes a service that starts nothing yet; see Parts.make_training_service."""
        self._config = config
        self._code = str(config.trial_code_directory)
        self._environment = trial_environment(experiment_id, self._code, None)
        shared, own = folder / "shared", folder / "job"
        secrets = direct.secrets(JOB, "127.0.0.1")
        self._job = SpooledJob(shared, own, experiment_id, secrets)
        files: SharedFiles = UnseenEvents(shared)
        pushed = direct.pushed.open(JOB, files)
        self._spool = JobSpool(pushed, JOB, emit, poll_seconds=0.5)
        pushed.on_pushed = self._spool.look

    async def start(self) -> None:
        """Starts the job, the first time."""
        if not self._job.shared.exists():
            self._job.shared.mkdir()
            self._job.start()
            assert self._job.process is not None
            (self._job.own / "job.pid").write_text(str(self._job.process.pid))
        await self._spool.open()

    def submit(self, run: TrialRun) -> None:
        """Starts a trial soon."""
        command = self._config.trial_command or ""
        order = messages.launch(run, command, self._code, self._environment, ())
        self._spool.launch(run.trial_id, run.attempt, order)

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        """Watches a trial submitted before a restart."""
        self._spool.adopt(trial_id, attempt, acknowledged_offset)

    def cancel(self, trial_id: str, attempt: int) -> None:
        """Stops a trial."""
        self._spool.cancel(trial_id, attempt, signal.SIGINT, _GRACE_SECONDS)

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> None:
        """Says that results are stored."""
        self._spool.acknowledge(trial_id, attempt, offset)

    def release(self) -> None:
        """Does nothing: no process waits for a trial."""

    def output_directory(self, trial_id: str) -> str:
        """Returns the folder of a trial's output."""
        return str(self._job.own / "trials" / trial_id)

    async def close(self) -> None:
        """Stops watching."""
        await self._spool.close()


def make_spooled_service(
    config: ExperimentConfig,
    experiment_id: str,
    folder: Path,
    emit: ServiceEmit,
    direct: DirectReports | None = None,
) -> TrainingService:
    """Stands in for server.training_services.make_training_service in a manager's process."""
    return SpooledService(config, experiment_id, folder, emit, direct or DirectReports())
