"""The limits that an experiment runs under, and what counts as the result of trials that fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds an experiment. None means no limit; times are seconds.

    Attributes:
        trial_concurrency: How many trials may run at the same time.
        max_trial_number: How many trials may be created.
        max_experiment_seconds: How long new trials may start, time stopped not counted.
        max_trial_seconds: How long a trial may run.
        stop_trials_at_time_limit: Whether running trials are stopped at max_experiment_seconds, not left to
            finish.
        stop_on_early_failures: Whether the experiment ends when its first trials all fail without a report.
        max_trial_retries: How often a trial is run again that died by a signal or with its machine.
        max_failed_trial_number: After how many failed trials the experiment ends as ERROR.
        failed_trial_result: What the tuner is told as the result of a trial that failed without one: a
            number, "worst" for the worst result so far, None for nothing.
    """

    trial_concurrency: int
    max_trial_number: int | None = None
    max_experiment_seconds: float | None = None
    max_trial_seconds: float | None = None
    stop_trials_at_time_limit: bool = False
    stop_on_early_failures: bool = True
    max_trial_retries: int = 0
    max_failed_trial_number: int | None = None
    failed_trial_result: float | Literal["worst"] | None = None

    @property
    def early_failure_count(self) -> int:
        """How many failures at the start end the experiment."""
        return max(3, self.trial_concurrency)
