"""What can be read of an experiment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from nni_proto.resource_names import experiment_name
from nni_proto.v1 import experiment_pb2

from nni_client import results, words
from nni_client.connection import Session
from nni_client.data import TrialJob, TrialMetricData, TrialResult
from nni_client.fronts import check_objectives, front
from nni_client.tables import dataframe_of

Result = TypeVar("Result")


class ReadableExperiment(ABC):
    """The calls of an Experiment that read. They work while it runs and after it has ended.

    Each raises a RuntimeError when the experiment was never started, and what `errors` has.

    Attributes:
        id: The experiment's id.
    """

    id: str

    @abstractmethod
    def _read(self, read: Callable[[Session], Result]) -> Result:
        """Reads from the manager, or from the record when no manager runs any more."""

    def get_status(self) -> str:
        """Returns the experiment's status, for example "RUNNING" or "DONE"."""
        return words.experiment_status(self._get().status)

    def get_trial_job(self, trial_job_id: str) -> TrialJob:
        """Returns a trial.

        Raises:
            NotFoundError: The experiment has no such trial.
        """
        return self._read(lambda session: results.get_trial_job(session, self._name, trial_job_id))

    def list_trial_jobs(self) -> list[TrialJob]:
        """Returns all trials, in the order of their numbers."""
        return self._read(lambda session: results.list_trial_jobs(session, self._name))

    def best_trial(self) -> TrialJob | None:
        """Returns the best succeeded trial by the experiment's optimize_mode, None while there is none.

        What counts is the final result, or its entry "default", not the best of the intermediate results.
        NaN is never the best.
        """
        return self._read(lambda session: results.best_trial(session, self._name))

    def best_trials(self, objectives: Mapping[str, str] | None = None) -> list[TrialJob]:
        """Returns the best succeeded trials.

        Args:
            objectives: Several entries of the final result with what is better, for example
                {"accuracy": "maximize", "latency": "minimize"}: the trials that none is better than in all of
                them (the Pareto front). None for the experiment's one objective: the best and its equals.

        Raises:
            TypeError: `objectives` is no dict.
            ValueError: A direction is neither "maximize" nor "minimize".
        """
        if objectives is None:
            objectives = {"default": self._get().optimize_mode or "maximize"}
        check_objectives(objectives)
        return front(self.list_trial_jobs(), objectives)

    def to_dataframe(self) -> Any:
        """Returns all trials as a pandas DataFrame, a row for each, with its parameters and final result.

        The columns are those of an exported table: `lr`, `layer0.k`, `reward` or `metric.default`; see
        `tables.dataframe_of`.

        Raises:
            ImportError: pandas is not installed.
        """
        return dataframe_of(self.list_trial_jobs())

    def get_job_statistics(self) -> list[dict[str, Any]]:
        """Returns how many trials have each status: [{"trialJobStatus": ..., "trialJobNumber": ...}]."""
        return results.job_statistics(self._get())

    def get_job_metrics(self, trial_job_id: str | None = None) -> dict[str, list[TrialMetricData]]:
        """Returns what trials reported, by trial, in the order stored.

        Args:
            trial_job_id: Only this trial's results.

        Raises:
            NotFoundError: The experiment has no such trial.
        """
        return self._read(lambda session: results.get_job_metrics(session, self._name, trial_job_id))

    def export_data(self) -> list[TrialResult]:
        """Returns the parameters and final result of every trial that has one."""
        return self._read(lambda session: results.export_data(session, self._name))

    def get_experiment_profile(self) -> dict[str, Any]:
        """Returns the configuration, times (milliseconds since 1970), duration (seconds) and folder.

        "origin" says what the experiment was made of: gitCommit and gitIsDirty, codeHash, packageVersions (of
        Python and of the packages beside the manager) and seed (of the tuner), None or empty while not known.
        "warnings" lists what to know of it although nothing failed.
        """
        return results.profile(self._get())

    @property
    def _name(self) -> str:
        return experiment_name(self.id)

    @abstractmethod
    def _get(self) -> experiment_pb2.Experiment:
        """Returns the experiment as it is at this moment."""
