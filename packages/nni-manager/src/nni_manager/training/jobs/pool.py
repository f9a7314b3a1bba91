"""Which job takes a trial, where jobs are kept from trial to trial."""

from __future__ import annotations

from collections.abc import Iterable

from nni_manager.training.jobs.job import Job, Key


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
