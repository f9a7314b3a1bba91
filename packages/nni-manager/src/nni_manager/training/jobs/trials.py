"""Which trials are in which jobs."""

from __future__ import annotations

from dataclasses import dataclass, field

from nni_manager.training.interface import TrialRun
from nni_manager.training.jobs.job import Job, Key


@dataclass
class TrialsInJobs:
    """The attempts whose end was not told yet.

    Attributes:
        jobs: The job of each.
        started: Those that have started.
        runs: What is to run, of those that this manager gave to a job and that have not started.
        canceled: Those that were to be stopped.
        last_jobs: The job that each trial was in last, also one that has ended.
    """

    jobs: dict[Key, Job] = field(default_factory=dict)
    started: set[Key] = field(default_factory=set)
    runs: dict[Key, TrialRun] = field(default_factory=dict)
    canceled: set[Key] = field(default_factory=set)
    last_jobs: dict[str, str] = field(default_factory=dict)

    def add(self, key: Key, job: Job) -> None:
        """Takes note that an attempt is in a job."""
        job.trials.add(key)
        job.keep_busy()
        self.jobs[key] = job
        self.last_jobs[key[0]] = job.name

    def start(self, key: Key) -> None:
        """Takes note that an attempt runs."""
        self.started.add(key)
        self.runs.pop(key, None)

    def remove(self, key: Key) -> None:
        """Takes note that an attempt has ended; its job is to be told."""
        del self.jobs[key]
        self.started.discard(key)
        self.runs.pop(key, None)
        self.canceled.discard(key)
