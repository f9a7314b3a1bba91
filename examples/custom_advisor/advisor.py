"""An advisor of one's own: random search that stops a trial whose loss is above the median at its step."""

import json
import random
import statistics

from nni.runtime.msg_dispatcher_base import MsgDispatcherBase
from nni.runtime.tuner_command_channel import CommandType


class MedianRandom(MsgDispatcherBase):
    """Draws parameters at random, and stops the worse half of the trials early.

    Args:
        seed: Makes the sequence repeatable. With it an advisor that is made anew goes on as the one before.
        warm_up: How many trials have to have a result at a step before one is stopped there.
    """

    def __init__(self, seed=0, warm_up=3):
        super().__init__()
        self.random = random.Random(seed)
        self.warm_up = warm_up
        self.count = 0
        self.losses = {}  # those of all trials, by the step
        self.parameters = {}  # those of the trials that run, by the ids of this advisor
        self.best = None

    def handle_initialize(self, data):
        """Takes the search space. Any JSON will do; here it is the lower and the upper bound of each name."""
        self.bounds = data
        self.send(CommandType.Initialized, "")

    def handle_update_search_space(self, data):
        """Takes a search space that was changed."""
        self.bounds = data

    def handle_request_trial_jobs(self, data):
        """Sends as many trials as are asked for."""
        for _ in range(data):
            self.count += 1
            parameter_id = f"draw_{self.count}"
            parameters = {name: self.random.uniform(low, high) for name, (low, high) in self.bounds.items()}
            self.parameters[parameter_id] = parameters
            trial = {
                "parameter_id": parameter_id,
                "parameter_source": "algorithm",
                "parameters": parameters,
            }
            self.send(CommandType.NewTrialJob, json.dumps(trial))

    def handle_report_metric_data(self, data):
        """Learns from a result, and stops the trial if it is bad."""
        loss = json.loads(data["value"])
        if data["type"] == "FINAL":
            if self.best is None or loss < self.best[0]:
                self.best = (loss, self.parameters.get(data["parameter_id"]))
            return
        others = self.losses.setdefault(data["sequence"], [])
        if len(others) >= self.warm_up and loss > statistics.median(others):
            self.send(CommandType.KillTrialJob, json.dumps(data["trial_job_id"]))
        others.append(loss)

    def handle_trial_end(self, data):
        """Forgets a trial that has ended, however it did."""
        self.parameters.pop(json.loads(data["hyper_params"])["parameter_id"], None)

    def handle_import_data(self, data):
        """Takes results of other experiments."""
        for record in data:
            if self.best is None or record["value"] < self.best[0]:
                self.best = (record["value"], record["parameter"])

    def handle_add_customized_trial(self, data):
        """Takes the trials of an earlier life, which need nothing here."""
