"""What rpc/ and web/ call. service.py is the implementation; tests may use another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any, Protocol

from nni_config import ExperimentConfig
from nni_config.local_state import ManagerRecord

from nni_manager.engine.events import Report
from nni_manager.engine.statuses import MetricKind, TrialStatus
from nni_manager.experiments.list_watching import ListChange
from nni_manager.experiments.listing import ListedExperiment
from nni_manager.experiments.reading import ExperimentReader
from nni_manager.experiments.views import Change, ExperimentUpdate, ExperimentView, TrialView
from nni_manager.storage.interface import StoredMetric


class ExperimentCalls(Protocol):
    """Everything that can be asked of experiments.

    Every method raises the errors of errors.py that its name suggests: ExperimentNotFoundError and
    TrialNotFoundError for unknown ids, ShuttingDownError once the manager ends.
    """

    async def create(self, config: ExperimentConfig, experiment_id: str, request_id: str) -> ExperimentView:
        """Checks a configuration and records an experiment; the same request again returns the same one.

        Args:
            config: The configuration.
            experiment_id: The id, or "" to have one chosen.
            request_id: Made by the caller.

        Raises:
            InvalidConfigError: The configuration is not valid.
            InvalidArgumentError: The id is malformed.
            ExperimentAlreadyExistsError: The id is taken, or this manager has an experiment already.
        """

    async def get(self, experiment_id: str) -> ExperimentView:
        """Returns an experiment."""

    async def reader(self, experiment_id: str) -> ExperimentReader:
        """Returns what reads an experiment's record."""

    async def start(self, experiment_id: str) -> ExperimentView:
        """Starts an experiment that was created; starting a running one changes nothing.

        Raises:
            WrongExperimentStatusError: It has ended.
        """

    async def update(self, experiment_id: str, update: ExperimentUpdate) -> ExperimentView:
        """Changes limits or the search space.

        Raises:
            InvalidArgumentError: A value is out of range.
            AlgorithmRefusedError: The tuner cannot change its search space.
            WrongExperimentStatusError: The experiment has stopped.
        """

    async def resume(self, experiment_id: str, config: ExperimentConfig | None) -> ExperimentView:
        """Goes on with the experiment of an earlier manager; resuming a running one changes nothing.

        Args:
            experiment_id: The experiment that this manager was started for.
            config: The configuration to go on with, secrets included; None for the recorded one.

        Raises:
            InvalidConfigError: The configuration is not valid, or changes what cannot change.
            StorageFailedError: The record cannot be read or written.
        """

    async def pause(self, experiment_id: str) -> ExperimentView:
        """Lets running trials finish and starts no new one.

        Raises:
            WrongExperimentStatusError: The experiment does not run.
        """

    async def unpause(self, experiment_id: str) -> ExperimentView:
        """Lets trials start again.

        Raises:
            WrongExperimentStatusError: The experiment does not run.
        """

    async def create_trial(self, experiment_id: str, parameters: Any, request_id: str) -> TrialView:
        """Queues a trial with parameters of the caller's own; the same request again returns the same one.

        Raises:
            InvalidArgumentError: The parameters do not fit the search space.
            WrongExperimentStatusError: No trial can be created any more.
        """

    async def import_trials(
        self, experiment_id: str, trials: Sequence[dict[str, Any]], request_id: str
    ) -> int:
        """Tells the tuner of results from elsewhere and returns how many; each request once.

        Args:
            experiment_id: The experiment.
            trials: {"parameter": ..., "value": ...} each.
            request_id: Made by the caller.

        Raises:
            InvalidArgumentError: An entry is not one of parameters with a value.
            WrongExperimentStatusError: The experiment does not run.
        """

    async def stop(self, experiment_id: str) -> ExperimentView:
        """Stops the trials, closes the record, and lets the manager end after the answer."""

    def watch(self, experiment_id: str, after_revision: int, include_metrics: bool) -> AsyncIterator[Change]:
        """Yields what changed after a revision, then what changes, until the manager ends."""

    async def trial(self, experiment_id: str, trial_id: str) -> TrialView:
        """Returns a trial."""

    async def trials(
        self, experiment_id: str, after_sequence_number: int, limit: int, statuses: Collection[TrialStatus]
    ) -> list[TrialView]:
        """Returns trials by rising number; of any status when `statuses` is empty."""

    async def cancel_trial(self, experiment_id: str, trial_id: str) -> TrialView:
        """Stops a trial; one that has ended stays as it is.

        Raises:
            WrongExperimentStatusError: The trial cannot be reached, since the experiment does not run.
        """

    async def metrics(
        self, experiment_id: str, trial_id: str | None, after_row: int, limit: int, kind: MetricKind | None
    ) -> list[StoredMetric]:
        """Returns results in the order stored, of one trial or of all."""

    async def exported_trials(
        self, experiment_id: str, after_sequence_number: int, limit: int
    ) -> list[TrialView]:
        """Returns trials that have a final result, by rising number."""

    async def report_metrics(
        self, experiment_id: str, trial_id: str, attempt: int, reports: Sequence[Report]
    ) -> int:
        """Stores results and returns, once they are durable, how many were new."""


class FolderCalls(ExperimentCalls, Protocol):
    """What can be asked about all experiments of a folder; others than the manager's own are only read."""

    async def listed(self) -> list[ListedExperiment]:
        """Returns all experiments of the folder, the newest first."""

    def watch_list(self, after_revision: str) -> AsyncIterator[ListChange]:
        """Yields what changed in the list after a revision, all for "", then what changes.

        The first answer comes at once, and after one that this manager did not give, all are told. It ends
        when the manager does.
        """

    async def manager(self, experiment_id: str) -> ManagerRecord | None:
        """Returns the other manager that runs an experiment; None for this manager's and when none does."""

    async def delete(self, experiment_id: str) -> None:
        """Removes another experiment with all its files.

        Raises:
            WrongExperimentStatusError: It is this manager's, it or a trial of it runs, or something in its
                folder cannot be removed.
        """
