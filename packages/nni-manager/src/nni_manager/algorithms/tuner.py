"""The base class of tuners."""

from __future__ import annotations

import logging
from typing import Any

from nni import NoMoreTrialError

from nni_manager.algorithms.recoverable import Recoverable
from nni_manager.algorithms.typehint import Parameters, SearchSpace, TrialMetric, TrialRecord

_logger = logging.getLogger(__name__)


class Tuner(Recoverable):
    """Proposes parameters for trials and learns from their results.

    A subclass overrides `generate_parameters` (or `generate_multiple_parameters`), `receive_trial_result`,
    `update_search_space`, and whatever else it needs. The manager calls one method at a time, always in the
    same thread, `update_search_space` first. An exception that leaves a method ends the experiment as ERROR
    and is shown with its traceback.

    A subclass that has a method `receive_intermediate_result(parameter_id, trial_job_id, index, value)` is
    also told every intermediate result, in the order reported: the id of the trial's parameters, the trial's
    id, the result's index from 0, and the result, any JSON value. A trial that is begun again after its
    machine failed counts from 0 again. Results that come after a trial's end are not told.
    """

    _accept_customized = False

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Parameters:
        """Returns parameters for one trial.

        Args:
            parameter_id: The id of these parameters; results come back under it.
            **kwargs: `st_callback`, see `generate_multiple_parameters`.

        Raises:
            NoMoreTrialError: There are no parameters, at least for now.
        """
        raise NotImplementedError("Tuner: generate_parameters not implemented")

    def generate_multiple_parameters(self, parameter_id_list: list[int], **kwargs: Any) -> list[Parameters]:
        """Returns parameters for several trials, by default from `generate_parameters` one after another.

        Args:
            parameter_id_list: One id for each set of parameters asked for.
            **kwargs: `st_callback(parameter_id, parameters)`, with which a tuner may hand in parameters under
                an asked-for id at any later time, from any thread.

        Returns:
            Parameters for the first ids. A shorter list means that there are none for the other ids, at least
            for now.
        """
        result: list[Parameters] = []
        for parameter_id in parameter_id_list:
            try:
                result.append(self.generate_parameters(parameter_id, **kwargs))
            except NoMoreTrialError as error:
                _logger.info("No parameters for id %s: %s", parameter_id, error)
                break
        return result

    def receive_trial_result(
        self, parameter_id: int, parameters: Parameters, value: TrialMetric, **kwargs: Any
    ) -> None:
        """Takes a trial's final result.

        Args:
            parameter_id: The id of the trial's parameters.
            parameters: The parameters.
            value: The result as the trial reported it, any JSON value.
            **kwargs: `customized`, whether a user chose the parameters, and `trial_job_id`.
        """
        raise NotImplementedError("Tuner: receive_trial_result not implemented")

    def trial_end(self, parameter_id: int, success: bool, **kwargs: Any) -> None:
        """Takes note that a trial ended, after its final result if it reported one.

        Args:
            parameter_id: The id of the trial's parameters.
            success: Whether it ended by itself with exit code 0.
            **kwargs: For later use.
        """

    def update_search_space(self, search_space: SearchSpace) -> None:
        """Takes the search space: once before everything else, then whenever a user changes it.

        Args:
            search_space: The search space. Any exception on a later call means that the change is refused.
        """
        raise NotImplementedError("Tuner: update_search_space not implemented")

    def import_data(self, data: list[TrialRecord]) -> None:
        """Takes results of other experiments.

        Args:
            data: Records of `parameter` and `value`. They are ignored by default.
        """

    def _accept_customized_trials(self, accept: bool = True) -> None:
        """Sets whether results of parameters that a user chose are wanted."""
        self._accept_customized = accept

    def _on_exit(self) -> None:
        """Is called when the experiment ends."""

    def _on_error(self) -> None:
        """Is called when the tuner failed."""
