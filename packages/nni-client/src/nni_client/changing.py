"""What can be changed of an experiment while it runs."""

from __future__ import annotations

import uuid
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from nni_proto.v1.experiment_service_pb2 import (
    CancelTrialRequest,
    CreateTrialRequest,
    PauseExperimentRequest,
    UnpauseExperimentRequest,
    UpdateExperimentRequest,
)
from nni_proto.values import to_message

from nni_client import results, updates
from nni_client.connection import Connection
from nni_client.data import TrialJob, TrialResult
from nni_client.methods import (
    CANCEL_TRIAL,
    CREATE_TRIAL,
    PAUSE_EXPERIMENT,
    UNPAUSE_EXPERIMENT,
    UPDATE_EXPERIMENT,
)
from nni_client.readable import ReadableExperiment
from nni_client.trial_import import checked_trials, import_trials


class ChangeableExperiment(ReadableExperiment):
    """The calls of an Experiment that change it. They need a running one.

    Each raises a RuntimeError when this Experiment is attached to none, and what `errors` has.
    """

    @abstractmethod
    def _changing(self) -> Connection:
        """Returns the way to the manager that runs the experiment."""

    def update_trial_concurrency(self, value: int) -> None:
        """Changes how many trials may run at the same time.

        Raises:
            ValueError: The value is not a whole number above 0.
        """
        self._update(updates.trial_concurrency(self._name, value))

    def update_max_trial_number(self, value: int | None) -> None:
        """Changes after how many trials no new one starts; None is no limit.

        Raises:
            ValueError: The value is not a whole number above 0.
        """
        self._update(updates.max_trial_number(self._name, value))

    def update_max_experiment_duration(self, value: str | float | None) -> None:
        """Changes after how long no new trial starts: "1.5h", a number of seconds, or None for no limit.

        Raises:
            ValueError: The value is not a duration.
        """
        self._update(updates.max_experiment_duration(self._name, value))

    def update_search_space(self, value: dict[str, Any]) -> None:
        """Changes the search space of the trials to come.

        Raises:
            ValueError: The value is not a search space, or the tuner cannot change it.
        """
        self._update(updates.search_space(self._name, value))

    def kill_trial_job(self, trial_job_id: str) -> None:
        """Stops a trial; one that has ended stays as it is.

        Raises:
            NotFoundError: The experiment has no such trial.
        """
        request = CancelTrialRequest(name=results.name_of_trial(self._name, trial_job_id))
        self._changing().call(CANCEL_TRIAL, request)

    def pause(self) -> None:
        """Starts no new trials; running ones finish. Time does not count meanwhile, and a resume keeps it.

        What is done stays done, and is paused for when its limits are raised.
        """
        self._changing().call(PAUSE_EXPERIMENT, PauseExperimentRequest(name=self._name))

    def unpause(self) -> None:
        """Lets trials start again."""
        self._changing().call(UNPAUSE_EXPERIMENT, UnpauseExperimentRequest(name=self._name))

    def create_trial(self, parameters: Mapping[str, Any]) -> TrialJob:
        """Queues a trial with parameters of your own; the tuner is told its result.

        Args:
            parameters: The parameters; they fit the search space.

        Returns:
            The trial, WAITING until a slot is free.

        Raises:
            TypeError: They are no dict, or hold something that JSON cannot.
            ValueError: They do not fit the search space.
        """
        if not isinstance(parameters, Mapping):
            raise TypeError(f"parameters: a dict is needed, not a value of type {type(parameters).__name__}")
        request = CreateTrialRequest(
            parent=self._name, request_id=str(uuid.uuid4()), parameters=to_message(dict(parameters))
        )
        return results.trial_job(self._changing().call(CREATE_TRIAL, request).trial)

    def import_data(self, trials: Iterable[TrialResult | Mapping[str, Any]]) -> int:
        """Tells the tuner of results from elsewhere; they become no trials.

        Args:
            trials: What `export_data` returns, or dicts {"parameter": {...}, "value": ...}.

        Returns:
            How many results the tuner was told.

        Raises:
            ValueError: An entry is none of these, or the tuner cannot use it; the text names it.
        """
        checked = checked_trials(trials)
        with self._changing().session() as session:
            return import_trials(session, self._name, checked)

    def _update(self, request: UpdateExperimentRequest) -> None:
        self._changing().call(UPDATE_EXPERIMENT, request)
