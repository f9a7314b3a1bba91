"""The application service of a manager: one experiment, created, run, changed and read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path
from typing import Any

from nni_config import ExperimentConfig, new_experiment_id
from nni_config.experiment_ids import EXPERIMENT_ID_PATTERN

from nni_manager.engine.events import (
    CancelRequested,
    PauseRequested,
    Report,
    StopRequested,
    TrialRequested,
    TrialsImported,
    UnpauseRequested,
)
from nni_manager.engine.statuses import ExperimentStatus, MetricKind, TrialStatus
from nni_manager.experiments import errors
from nni_manager.experiments.creating import checked_config
from nni_manager.experiments.customized import checked_import, checked_parameters
from nni_manager.experiments.open_experiment import OpenExperiment
from nni_manager.experiments.parts import Parts
from nni_manager.experiments.reading import ExperimentReader
from nni_manager.experiments.recording import record_experiment
from nni_manager.experiments.updating import updated_config
from nni_manager.experiments.views import UNCHANGED, Change, ExperimentUpdate, ExperimentView, TrialView
from nni_manager.storage.interface import StoredMetric

_SECONDS_BETWEEN_CHANGES = 0.05
_UNCHANGEABLE = (ExperimentStatus.STOPPING, ExperimentStatus.STOPPED, ExperimentStatus.ERROR)


class ExperimentService:
    """Implements ExperimentCalls (interface.py) for one experiment.

    Attributes:
        closed: Set once the record is closed and the manager may end.
    """

    def __init__(
        self, experiments_directory: Path, parts: Parts, experiment: OpenExperiment | None = None
    ) -> None:
        """Makes a service.

        Args:
            experiments_directory: Where the folders of experiments are.
            parts: How an experiment gets its parts.
            experiment: The experiment of an earlier manager; None for one that is to be created.
        """
        self.closed = asyncio.Event()
        self._experiments_directory = experiments_directory
        self._parts = parts
        self._experiment = experiment
        self._lock = asyncio.Lock()
        self._closing = False
        self._stopping: asyncio.Task[ExperimentView | None] | None = None

    async def create(self, config: ExperimentConfig, experiment_id: str, request_id: str) -> ExperimentView:
        """Checks a configuration and records an experiment; see ExperimentCalls."""
        async with self._lock:
            self._refuse_when_closing()
            if self._experiment is not None:
                record = self._experiment.runner.record
                if request_id and record.create_request_id == request_id:
                    return await self._experiment.reader.experiment()
                raise errors.ExperimentAlreadyExistsError(
                    f"this manager has experiment {record.experiment_id!r} already"
                )
            if experiment_id and not EXPERIMENT_ID_PATTERN.fullmatch(experiment_id):
                raise errors.InvalidArgumentError(
                    f"experiment_id: {experiment_id!r} is not 1 to 32 letters, digits, '_' or '-'"
                )
            self._experiment = record_experiment(
                checked_config(config),
                experiment_id or new_experiment_id(),
                request_id,
                self._experiments_directory,
                self._parts,
            )
            return await self._experiment.reader.experiment()

    async def start(self, experiment_id: str) -> ExperimentView:
        """Starts an experiment that was created; see ExperimentCalls."""
        async with self._lock:
            self._refuse_when_closing()
            experiment = self._find(experiment_id)
            status = experiment.runner.record.status
            if status is ExperimentStatus.INITIALIZED:
                await experiment.start()
            elif experiment.runner.has_ended:
                raise errors.WrongExperimentStatusError(
                    f"experiment {experiment_id!r} is {status.value}; only a new one can be started"
                )
            return await experiment.reader.experiment()

    async def reader(self, experiment_id: str) -> ExperimentReader:
        """Returns what reads the record."""
        return self._find(experiment_id).reader

    async def get(self, experiment_id: str) -> ExperimentView:
        """Returns an experiment."""
        return await self._find(experiment_id).reader.experiment()

    async def update(self, experiment_id: str, update: ExperimentUpdate) -> ExperimentView:
        """Changes limits or the search space; see ExperimentCalls."""
        async with self._lock:
            self._refuse_when_closing()
            experiment = self._find(experiment_id)
            status = experiment.runner.record.status
            if status in _UNCHANGEABLE:
                raise errors.WrongExperimentStatusError(
                    f"experiment {experiment_id!r} is {status.value}; it cannot be changed"
                )
            await experiment.change_config(
                updated_config(experiment.config, update),
                search_space_changed=update.search_space is not UNCHANGED,
            )
            return await experiment.reader.experiment()

    async def resume(self, experiment_id: str, config: ExperimentConfig | None) -> ExperimentView:
        """Goes on with the experiment of an earlier manager; see ExperimentCalls."""
        async with self._lock:
            self._refuse_when_closing()
            experiment = self._find(experiment_id)
            record = experiment.runner.record
            if not experiment.runner.is_running:
                await experiment.resume(config)
            elif record.status is ExperimentStatus.ERROR:
                raise errors.WrongExperimentStatusError(
                    f"experiment {experiment_id!r} is ERROR and its manager still shows it; end that first: "
                    f"nnictl stop {experiment_id}"
                )
            return await experiment.reader.experiment()

    async def pause(self, experiment_id: str) -> ExperimentView:
        """Lets running trials finish and starts no new one; see ExperimentCalls."""
        experiment = self._find_open(experiment_id, "paused")
        await experiment.runner.settle(PauseRequested(time.time()))
        return await experiment.reader.experiment()

    async def unpause(self, experiment_id: str) -> ExperimentView:
        """Lets trials start again; see ExperimentCalls."""
        experiment = self._find_open(experiment_id, "unpaused")
        await experiment.runner.settle(UnpauseRequested(time.time()))
        return await experiment.reader.experiment()

    async def create_trial(self, experiment_id: str, parameters: Any, request_id: str) -> TrialView:
        """Queues a trial with parameters of the caller's own; see ExperimentCalls."""
        async with self._lock:  # so that of two equal requests the second finds the trial of the first
            self._refuse_when_closing()
            experiment = self._find(experiment_id)
            if (before := await experiment.reader.trial_of_request(request_id)) is not None:
                return before
            self._find_open(experiment_id, "given a trial")
            checked_parameters(experiment.config, parameters)
            await experiment.runner.settle(TrialRequested(parameters, request_id, time.time()))
            created = await experiment.reader.trial_of_request(request_id)
            if created is None:
                why = experiment.runner.why_no_trial() or "it was full at that moment; try again"
                if (reason := experiment.runner.record.end_reason) is not None and reason.message not in why:
                    why = f"{why}, since {reason.message}"
                raise errors.WrongExperimentStatusError(
                    f"experiment {experiment_id!r} takes no more trials: {why}"
                )
            return created

    async def import_trials(
        self, experiment_id: str, trials: Sequence[dict[str, Any]], request_id: str
    ) -> int:
        """Tells the tuner of results from elsewhere; see ExperimentCalls."""
        experiment = self._find_open(experiment_id, "given results")
        if trials:
            checked_import(experiment.config, trials)
            await experiment.runner.settle(TrialsImported(tuple(trials), request_id))
        return len(trials)

    async def stop(self, experiment_id: str) -> ExperimentView:
        """Stops the trials, closes the record, and lets the manager end; see ExperimentCalls."""
        self._find(experiment_id)
        # Whoever asked may go away meanwhile, which cancels this call: the stopping goes on all the same.
        if self._stopping is None:
            self._stopping = asyncio.create_task(self.close(by_user=True, message="stopped by the user"))
        try:
            view = await asyncio.shield(self._stopping)
        except errors.StorageFailedError:
            self._stopping = None  # so that it can be asked for again
            raise
        if view is None:
            raise errors.ShuttingDownError("the manager is shutting down")
        return view

    async def close(self, *, by_user: bool, message: str) -> ExperimentView | None:
        """Ends the experiment, if there is one, and everything it runs on.

        Args:
            by_user: Whether a person asked for it.
            message: Why.

        Returns:
            The experiment as its record has it for good; None when there is none, or another call ends it.
        """
        if self._closing:
            return None
        self._closing = True
        try:
            async with self._lock:
                if self._experiment is None:
                    return None
                view = await self._experiment.end(StopRequested(by_user, message, time.time()))
                self.closed.set()
                await self._experiment.close()
                return view
        except errors.StorageFailedError:
            # Ending now would lose what is not stored: the manager stays until it is.
            self._closing = False
            raise
        finally:
            if self._closing:
                self.closed.set()

    async def watch(
        self, experiment_id: str, after_revision: int, include_metrics: bool
    ) -> AsyncIterator[Change]:
        """Yields what changed after a revision, then what changes; see ExperimentCalls."""
        experiment = self._find(experiment_id)
        revision = after_revision
        closed = asyncio.create_task(self.closed.wait())
        try:
            while not self.closed.is_set():
                changed = experiment.runner.next_change()
                change = await experiment.reader.changes(revision, include_metrics)
                if change.revision > revision:
                    revision = change.revision
                    yield change
                    if not experiment.runner.has_ended:
                        # Changes come in bursts; together they cost the watcher and us less.
                        await asyncio.sleep(_SECONDS_BETWEEN_CHANGES)
                    continue
                waiting = asyncio.create_task(changed.wait())
                await asyncio.wait((waiting, closed), return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
        finally:
            closed.cancel()

    async def trial(self, experiment_id: str, trial_id: str) -> TrialView:
        """Returns a trial."""
        return await self._find(experiment_id).reader.trial(trial_id)

    async def trials(
        self, experiment_id: str, after_sequence_number: int, limit: int, statuses: Collection[TrialStatus]
    ) -> list[TrialView]:
        """Returns trials by rising number."""
        return await self._find(experiment_id).reader.trials(after_sequence_number, limit, statuses)

    async def cancel_trial(self, experiment_id: str, trial_id: str) -> TrialView:
        """Stops a trial; one that has ended stays as it is."""
        experiment = self._find(experiment_id)
        trial = await experiment.reader.trial(trial_id)
        status = trial.stored.record.status
        if status.is_final:
            return trial
        runner = experiment.runner
        if not runner.is_running or (status is TrialStatus.UNKNOWN and runner.has_ended):
            raise errors.WrongExperimentStatusError(
                f"trial {trial_id} is {status.value} and out of reach, since experiment {experiment_id} does "
                "not run; resume that, then the trial can be stopped"
            )
        await runner.settle(CancelRequested(trial_id, time.time()))
        return await experiment.reader.trial(trial_id)

    async def metrics(
        self, experiment_id: str, trial_id: str | None, after_row: int, limit: int, kind: MetricKind | None
    ) -> list[StoredMetric]:
        """Returns results in the order stored."""
        return await self._find(experiment_id).reader.metrics(trial_id, after_row, limit, kind)

    async def exported_trials(
        self, experiment_id: str, after_sequence_number: int, limit: int
    ) -> list[TrialView]:
        """Returns trials that have a final result, by rising number."""
        return await self._find(experiment_id).reader.exported_trials(after_sequence_number, limit)

    async def report_metrics(
        self, experiment_id: str, trial_id: str, attempt: int, reports: Sequence[Report]
    ) -> int:
        """Stores results and returns, once they are durable, how many were new."""
        experiment = self._find(experiment_id)
        if not experiment.runner.is_active(trial_id):
            await experiment.reader.trial(trial_id)  # refuses one that never was
        return await experiment.runner.report(trial_id, attempt, reports)

    def _find(self, experiment_id: str) -> OpenExperiment:
        if self.closed.is_set():
            raise errors.ShuttingDownError("the manager is shutting down")
        if self._experiment is None or self._experiment.runner.record.experiment_id != experiment_id:
            raise errors.ExperimentNotFoundError(f"this manager has no experiment {experiment_id!r}")
        return self._experiment

    def _find_open(self, experiment_id: str, what: str) -> OpenExperiment:
        """Returns an experiment that runs and has not ended; `what` is what cannot be done to others."""
        experiment = self._find(experiment_id)
        status = experiment.runner.record.status
        if not experiment.runner.is_running or status in _UNCHANGEABLE:
            raise errors.WrongExperimentStatusError(
                f"experiment {experiment_id!r} is {status.value}; it cannot be {what}"
            )
        return experiment

    def _refuse_when_closing(self) -> None:
        if self._closing:
            raise errors.ShuttingDownError("the manager is shutting down")
