"""An advisor of your own: write what it proposes and which trials it stops. As it is, it draws at random."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from nni import parameter_expressions
from nni.runtime.msg_dispatcher_base import MsgDispatcherBase
from nni.runtime.tuner_command_channel import CommandType


class MyAdvisor(MsgDispatcherBase):
    """Proposes trials, hears all their results, and may stop them.

    The handlers are called one at a time, in one thread. An exception ends the experiment and is shown.

    An advisor that is made anew, on a resume or after its process died, gets all its calls again. So let
    random numbers depend on a seed; what time, threads or files say would differ then.

    Args:
        seed: Makes the sequence repeatable.
    """

    def __init__(self, seed: int = 0) -> None:
        """Takes the arguments: classArgs in a configuration file."""
        super().__init__()
        self.random = np.random.RandomState(seed)
        self.search_space: dict[str, Any] = {}
        self.count = 0
        self.results: list[tuple[Any, Any]] = []

    def handle_initialize(self, data: Any) -> None:
        """Takes the search space."""
        self.handle_update_search_space(data)
        self.send(CommandType.Initialized, "")

    def handle_update_search_space(self, data: Any) -> None:
        """Takes a search space that a user changed. An exception refuses it."""
        for name, parameter in data.items():
            if not hasattr(parameter_expressions, parameter["_type"]):
                raise ValueError(f"{name}: this advisor does not know {parameter['_type']}")
        self.search_space = data

    def handle_request_trial_jobs(self, data: int) -> None:
        """Sends as many trials as are asked for; `CommandType.NoMoreTrialJobs` says that there are none."""
        for _ in range(data):
            self.count += 1
            parameters = {}
            for name, parameter in self.search_space.items():
                draw, values = getattr(parameter_expressions, parameter["_type"]), parameter["_value"]
                is_choice = parameter["_type"] == "choice"
                parameters[name] = draw(values, self.random) if is_choice else draw(*values, self.random)
            trial = {
                "parameter_id": self.count,
                "parameter_source": "algorithm",
                "parameters": parameters,
            }
            self.send(CommandType.NewTrialJob, json.dumps(trial))

    def handle_report_metric_data(self, data: dict[str, Any]) -> None:
        """Learns from a result; self.send(CommandType.KillTrialJob, json.dumps(trial_job_id)) stops a trial.

        Args:
            data: `parameter_id` (of your own), `trial_job_id`, `type` ("PERIODICAL" or "FINAL"), `sequence`
                (from 0) and `value` (JSON).
        """
        if data["type"] == "FINAL":
            self.results.append((data["parameter_id"], json.loads(data["value"])))

    def handle_trial_end(self, data: dict[str, Any]) -> None:
        """Takes note that a trial ended.

        Args:
            data: `trial_job_id`, `event` (its status) and `hyper_params` (the JSON that was sent for it).
        """

    def handle_import_data(self, data: list[dict[str, Any]]) -> None:
        """Learns from results of other experiments, one {"parameter": ..., "value": ...} for each."""
        self.results += [(None, record["value"]) for record in data]

    def handle_add_customized_trial(self, data: list[dict[str, Any]]) -> None:
        """Takes the trials of an earlier life that cannot be lived again."""
