"""An advisor made of a tuner and an assessor."""

from __future__ import annotations

import json
import logging
import threading
from collections import defaultdict
from typing import Any

from nni.common.serializer import dump

from nni_manager.algorithms.advisor.base import MsgDispatcherBase
from nni_manager.algorithms.advisor.command_type import CommandType
from nni_manager.algorithms.assessor import Assessor, AssessResult
from nni_manager.algorithms.tuner import Tuner

__all__ = ["MsgDispatcher"]

_logger = logging.getLogger(__name__)


class MsgDispatcher(MsgDispatcherBase):
    """Calls a tuner and an assessor; people subclass it to change how.

    Args:
        command_channel_url: Nothing: the manager connects to an advisor itself.
        tuner: Proposes parameters.
        assessor: Judges trials, None for nobody.
    """

    def __init__(
        self, command_channel_url: str | None, tuner: Tuner, assessor: Assessor | None = None
    ) -> None:
        super().__init__(command_channel_url)
        self.tuner = tuner
        self.assessor = assessor
        self._next_id = 0
        self._next_id_lock = threading.Lock()
        self._trial_params: dict[int, Any] = {}
        self._trial_history: defaultdict[str, dict[int, Any]] = defaultdict(dict)
        self._ended_trials: set[str] = set()

    def load_checkpoint(self) -> None:
        """Lets the tuner and the assessor load theirs."""
        self.tuner.load_checkpoint()
        if self.assessor is not None:
            self.assessor.load_checkpoint()

    def save_checkpoint(self) -> None:
        """Lets the tuner and the assessor save theirs."""
        self.tuner.save_checkpoint()
        if self.assessor is not None:
            self.assessor.save_checkpoint()

    def handle_initialize(self, data: Any) -> None:
        """Gives the tuner the search space."""
        self.tuner.update_search_space(data)
        self.send(CommandType.Initialized, "")

    def send_trial_callback(self, parameter_id: int, params: Any) -> None:
        """Sends a trial; this is the tuner's `st_callback`."""
        self.send(CommandType.NewTrialJob, self._pack_parameter(parameter_id, params))

    def handle_request_trial_jobs(self, data: int) -> None:
        """Sends what the tuner proposes, and that there is no more if that is too little."""
        ids = [self._create_parameter_id() for _ in range(data)]
        proposals = self.tuner.generate_multiple_parameters(ids, st_callback=self.send_trial_callback)
        for parameter_id, parameters in zip(ids, proposals, strict=False):
            self.send(CommandType.NewTrialJob, self._pack_parameter(parameter_id, parameters))
        if len(proposals) < len(ids):
            self.send(CommandType.NoMoreTrialJobs, self._pack_parameter(ids[0], ""))

    def handle_update_search_space(self, data: Any) -> None:
        """Gives the tuner the search space."""
        self.tuner.update_search_space(data)

    def handle_import_data(self, data: list[dict[str, Any]]) -> None:
        """Gives the tuner results from elsewhere."""
        self.tuner.import_data(data)  # type: ignore[arg-type]  # dicts of the form of TrialRecord

    def handle_add_customized_trial(self, data: list[dict[str, Any]]) -> None:
        """Goes on with ids behind those of an earlier life."""
        highest = self.recover_parameter_id(data)
        with self._next_id_lock:
            self._next_id = max(self._next_id, highest + 1)

    def handle_report_metric_data(self, data: dict[str, Any]) -> None:
        """Tells the tuner a final result, and asks the assessor about an intermediate one."""
        value = json.loads(data["value"])
        if data["type"] == "FINAL":
            self._handle_final_metric_data({**data, "value": value})
        elif self.assessor is not None:
            self._handle_intermediate_metric_data({**data, "value": value})

    def handle_trial_end(self, data: dict[str, Any]) -> None:
        """Tells both that a trial ended; the assessor only if it has heard of it."""
        trial_id, succeeded = data["trial_job_id"], data["event"] == "SUCCEEDED"
        self._ended_trials.add(trial_id)
        if self._trial_history.pop(trial_id, None) is not None and self.assessor is not None:
            self.assessor.trial_end(trial_id, succeeded)
        parameter_id = json.loads(data["hyper_params"])["parameter_id"]
        if not self.is_created_in_previous_exp(parameter_id):
            self.tuner.trial_end(parameter_id, succeeded)

    def _create_parameter_id(self) -> int:
        with self._next_id_lock:
            self._next_id += 1
            return self._next_id - 1

    def _pack_parameter(
        self,
        parameter_id: int,
        params: Any,
        customized: bool = False,
        trial_job_id: str | None = None,
        parameter_index: int | None = None,
    ) -> str:
        """Returns the JSON of NewTrialJob, and remembers the parameters."""
        self._trial_params[parameter_id] = params
        record = {
            "parameter_id": parameter_id,
            "parameter_source": "customized" if customized else "algorithm",
            "parameters": params,
            "parameter_index": 0 if parameter_index is None else parameter_index,
        }
        return dump(record if trial_job_id is None else {**record, "trial_job_id": trial_job_id})

    def _handle_final_metric_data(self, data: dict[str, Any]) -> None:
        parameter_id, value = data["parameter_id"], data["value"]
        customized = parameter_id is None
        if self.is_created_in_previous_exp(parameter_id):
            self.handle_import_data([{"parameter": self.get_previous_param(parameter_id), "value": value}])
        elif customized and not self.tuner._accept_customized:
            _logger.info("The tuner does not take results of parameters that a user chose.")
        elif parameter_id in self._trial_params or customized:
            parameters: Any = self._trial_params.get(parameter_id)
            kept = {"customized": customized, "trial_job_id": data["trial_job_id"]}
            self.tuner.receive_trial_result(parameter_id, parameters, value, **kept)
        else:
            _logger.warning("A result under the id %s is ignored: it is unknown.", parameter_id)

    def _handle_intermediate_metric_data(self, data: dict[str, Any]) -> None:
        trial_id = data["trial_job_id"]
        if trial_id in self._ended_trials or self.is_created_in_previous_exp(data["parameter_id"]):
            return
        history = self._trial_history[trial_id]
        if data["sequence"] == 0:
            history.clear()
        history[data["sequence"]] = data["value"]
        gap_free: list[Any] = []
        while len(gap_free) in history:
            gap_free.append(history[len(gap_free)])
        if not gap_free or self.assessor is None:
            return
        result = self.assessor.assess_trial(trial_id, gap_free)
        if not isinstance(result, (bool, AssessResult)):
            raise RuntimeError(f"assess_trial returned {result!r}, neither an AssessResult nor a bool")
        if result in (False, AssessResult.Bad):
            self.send(CommandType.KillTrialJob, json.dumps(trial_id))
