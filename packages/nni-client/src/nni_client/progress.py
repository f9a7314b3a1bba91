"""How far an experiment is, put together from the changes that are watched."""

from __future__ import annotations

import time

from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.experiment_service_pb2 import WatchExperimentResponse
from nni_proto.v1.trial_pb2 import Trial

_ENDED = frozenset({Experiment.STATUS_DONE, Experiment.STATUS_STOPPED, Experiment.STATUS_ERROR})
_UNFINISHED = frozenset({Trial.STATUS_UNKNOWN, Trial.STATUS_WAITING, Trial.STATUS_RUNNING})
_RUNNING = frozenset(
    {Experiment.STATUS_RUNNING, Experiment.STATUS_NO_MORE_TRIAL, Experiment.STATUS_TUNER_NO_MORE_TRIAL}
)


class Progress:
    """The state of an experiment that is watched.

    Attributes:
        experiment: The experiment as last received.
        first_failure: The failed trial that was received first.
    """

    def __init__(self, experiment: Experiment) -> None:
        """Begins with what is known of an experiment."""
        self.experiment = experiment
        self.first_failure: Trial | None = None
        self._received_at = time.monotonic()

    def apply(self, change: WatchExperimentResponse) -> None:
        """Takes in a change."""
        if change.HasField("experiment"):
            self.experiment = change.experiment
            self._received_at = time.monotonic()
        if self.first_failure is None:
            failed = (trial for trial in change.trials if trial.status == Trial.STATUS_FAILED)
            self.first_failure = next(failed, None)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.experiment.status in _ENDED

    @property
    def seconds(self) -> float:
        """How long the experiment has run, until now."""
        seconds = self.experiment.running_time.ToTimedelta().total_seconds()
        if self.experiment.status in _RUNNING:
            seconds += time.monotonic() - self._received_at
        return seconds

    @property
    def total(self) -> int | None:
        """How many trials there may be, None without a limit."""
        config = self.experiment.config
        return config.max_trial_number if config.HasField("max_trial_number") else None

    @property
    def done(self) -> int:
        """How many trials have ended."""
        return sum(entry.count for entry in self.experiment.trial_counts if entry.status not in _UNFINISHED)

    def count(self, status: Trial.Status.ValueType) -> int:
        """Returns how many trials have a status."""
        return sum(entry.count for entry in self.experiment.trial_counts if entry.status == status)

    @property
    def every_trial_failed(self) -> bool:
        """Whether there were trials and each of them failed."""
        return 0 < self.experiment.trial_count == self.count(Trial.STATUS_FAILED)
