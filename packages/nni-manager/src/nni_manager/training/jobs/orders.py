"""What platforms and jobs are told: which job to start, and which trial to run in it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nni_manager.engine.statuses import MetricKind
from nni_manager.training import courier_messages as messages
from nni_manager.training.interface import TrialRun
from nni_manager.training.jobs.job import Job
from nni_manager.training.jobs.pace import Pace
from nni_manager.training.jobs.packing import Packed
from nni_manager.training.jobs.platform import JobOrder, JobPlatform
from nni_manager.training.jobs.start_command import start_command
from nni_manager.training.trial_environment import trial_environment


@dataclass(frozen=True, slots=True)
class TrialRules:
    """How trials are run in jobs.

    Attributes:
        command: The trials' command, run by a shell.
        numeric_kinds: The kinds of results that have to be numbers, or dicts with one under "default".
        trial_gpu_number: How many GPUs a trial uses, None if that is not said.
        stop_signal: The first signal to a trial that is to stop.
        grace_seconds: How long a trial has after it, and after the SIGTERM that follows.
        reuse_mode: Whether jobs are kept from trial to trial.
        slots_per_job: How many trials a job takes at a time, in reuse mode.
    """

    command: str
    numeric_kinds: Collection[MetricKind] = ()
    trial_gpu_number: int | None = None
    stop_signal: int = signal.SIGINT
    grace_seconds: float = 5.0
    reuse_mode: bool = False
    slots_per_job: int = 1


@dataclass
class JobOrders:
    """Writes orders.

    Attributes:
        platform: Where jobs run.
        experiment_id: The experiment.
        rules: How trials are run.
        pace: How often things are looked at.
        job_directory: The folder that jobs make their own folders in.
        secrets: Returns variables of a job that nobody else is to see, by its name.
        packed: What jobs are brought.
        brought: The folder in a job in which it finds that.
    """

    platform: JobPlatform
    experiment_id: str
    rules: TrialRules
    pace: Pace
    job_directory: str
    secrets: Callable[[str], Mapping[str, str]]
    packed: Packed = field(default_factory=lambda: Packed({}))
    brought: str = ""

    @property
    def files(self) -> dict[str, Path]:
        """The files that jobs are brought, by the names that they find them by."""
        return {archive.path.name: archive.path for archive in self.packed.archives.values()}

    def job(self, job: Job) -> JobOrder:
        """Returns what the platform is told to start."""
        storage = self.platform.storage
        arguments = [
            f"--experiment-id={self.experiment_id}",
            f"--experiment-directory={self.experiment_in(job.name)}",
            f"--job={job.name}",
            f"--grace-seconds={self.rules.grace_seconds}",
            f"--poll-seconds={self.pace.job_seconds}",
            *storage.spool_arguments,
        ]
        if job.is_pooled:
            # With more patience than the manager has, which tells it to end before.
            arguments += ["--reuse", f"--idle-seconds={2 * self.pace.idle_seconds + 60.0}"]
        else:
            arguments.append("--until-idle")
        if not storage.trials_directory:
            arguments.append(f"--send-seconds={2 * self.pace.logs_seconds}")
        command = start_command(
            brought=self.brought,
            folder=self._folder_of(job.name),
            archives=self.packed.archives,
            spool_arguments=arguments,
        )
        environment = {"NNI_EXP_ID": self.experiment_id, "NNI_JOB": job.name}
        return JobOrder(job.name, command, environment, {**storage.secrets, **self.secrets(job.name)})

    def launch(self, run: TrialRun, job: Job) -> bytes:
        """Returns what a job is told to run."""
        code = self.packed.code_directory or f"{self._folder_of(job.name)}/code"
        environment = trial_environment(self.platform.platform, code, self.rules.trial_gpu_number)
        return messages.launch(run, self.rules.command, code, environment, self.rules.numeric_kinds)

    def experiment_in(self, name: str) -> str:
        """Returns the folder in a job with the folder of trials."""
        shared = self.platform.storage.trials_directory
        return shared.rpartition("/")[0] if shared else f"{self._folder_of(name)}/experiment"

    def _folder_of(self, name: str) -> str:
        return f"{self.job_directory}/{self.experiment_id}/{name}"
