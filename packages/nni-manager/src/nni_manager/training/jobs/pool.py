"""Which job takes a trial, where jobs are kept from trial to trial."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nni_manager.training.jobs.job import Job, Key
from nni_manager.training.jobs.platform import job_name, job_prefix

_POOLED = "job"
"""Stands in names where the trial is otherwise; trials' ids are longer."""


def job_with_room(jobs: Iterable[Job], key: Key, slots: int) -> Job | None:
    """Returns the job of a pool that takes a trial, None when there has to be another one.

    Of those with room the one that runs and has most trials is taken, so that others can end.

    Args:
        jobs: All jobs.
        key: The trial.
        slots: How many trials a job takes at a time.
    """
    able = [
        job
        for job in jobs
        if job.is_pooled and not job.is_over and not job.is_ending and len(job.trials) < slots
    ]
    # Two attempts of a trial write to one folder.
    able = [job for job in able if all(trial_id != key[0] for trial_id, _ in job.trials)]
    return max(able, key=lambda job: (job.has_run, len(job.trials)), default=None)


def pooled_name(experiment_id: str, number: int) -> str:
    """Returns the name of a job of a pool."""
    return job_name(experiment_id, _POOLED, number)


def next_number(experiment_id: str, names: Iterable[str]) -> int:
    """Returns a number that none of these jobs has."""
    pattern = re.compile(re.escape(f"{job_prefix(experiment_id)}{_POOLED}_") + r"(\d+)")
    return 1 + max((int(match[1]) for name in names if (match := pattern.fullmatch(name))), default=-1)


def is_pooled(experiment_id: str, name: str) -> bool:
    """Returns whether a job is one of a pool, by its name."""
    return name.startswith(f"{job_prefix(experiment_id)}{_POOLED}_")
