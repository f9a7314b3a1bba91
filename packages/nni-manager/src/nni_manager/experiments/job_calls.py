"""What the jobs of a cluster ask of the manager, for rpc/."""

from __future__ import annotations

from nni_manager.experiments import errors
from nni_manager.training.jobs.pushed import PushedEvents, UnknownJobError

LONGEST_WAIT_SECONDS = 60.0
"""How long a job may wait for orders."""


class JobCalls:
    """Answers the jobs of one experiment."""

    def __init__(self, experiment_id: str, pushed: PushedEvents) -> None:
        """Names the experiment of this manager and what its jobs told."""
        self._experiment_id = experiment_id
        self._pushed = pushed

    def append_job_events(self, experiment_id: str, job: str, position: int, data: bytes) -> int:
        """Takes bytes of a job's file of events.

        Args:
            experiment_id: The experiment.
            job: The job.
            position: Where in the file they begin.
            data: The bytes.

        Returns:
            Up to where the file is known. If that is before `position`, nothing was taken.

        Raises:
            ExperimentNotFoundError: It is not the experiment of this manager.
            JobNotFoundError: Nobody follows the job.
        """
        self._check(experiment_id)
        try:
            return self._pushed.append(job, position, data)
        except UnknownJobError as error:
            raise errors.JobNotFoundError(str(error)) from error

    async def read_job_orders(
        self, experiment_id: str, job: str, position: int, wait_seconds: float
    ) -> bytes:
        """Returns what a job's file of orders holds from a position on, b"" if nothing comes in time.

        Args:
            experiment_id: The experiment.
            job: The job.
            position: Where in the file to begin.
            wait_seconds: How long to wait for the first byte, at most LONGEST_WAIT_SECONDS.

        Raises:
            ExperimentNotFoundError: It is not the experiment of this manager.
            JobNotFoundError: Nobody follows the job.
        """
        self._check(experiment_id)
        try:
            return await self._pushed.orders(job, position, min(wait_seconds, LONGEST_WAIT_SECONDS))
        except UnknownJobError as error:
            raise errors.JobNotFoundError(str(error)) from error

    def _check(self, experiment_id: str) -> None:
        if experiment_id != self._experiment_id:
            raise errors.ExperimentNotFoundError(f"this manager does not run experiment {experiment_id!r}")
