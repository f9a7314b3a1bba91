"""A tuner that was registered with nnictl runs a real search, chosen by its name."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.slow

MODULE = """
import os
from nni import ClassArgsValidator
from nni.assessor import Assessor, AssessResult
from nni.tuner import Tuner

class Halving(Tuner):
    def __init__(self, start, factor=0.5):
        self.value, self.factor = start, factor
        self.told = []

    def update_search_space(self, search_space):
        self.name = search_space["the name"]

    def generate_parameters(self, parameter_id, **kwargs):
        self.value *= self.factor
        return {self.name: self.value, "told": self.told[:]}

    def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
        self.told.append(value)

class Never(Assessor):
    def assess_trial(self, trial_job_id, trial_history):
        return AssessResult.Good

class Check(ClassArgsValidator):
    def validate_class_args(self, **kwargs):
        self.range("factor", float, 0.0, 1.0).validate(kwargs.get("factor", 0.5))
"""
META = {
    "algorithms": [
        {
            "algoType": "tuner",
            "builtinName": "Halving",
            "className": "halving_tuner.Halving",
            "classArgs": {"start": 8.0},
            "classArgsValidator": "halving_tuner.Check",
        },
        {"algoType": "assessor", "builtinName": "Never", "className": "halving_tuner.Never"},
    ]
}
TRIAL = """
import nni
x = nni.get_next_parameter()["x"]
nni.report_intermediate_result(x)
nni.report_final_result(x)
"""


@pytest.fixture
def stage(stage):
    """A stage on which the module is installed, and its algorithms are registered."""
    installed = stage.home / "installed"
    installed.mkdir()
    (installed / "halving_tuner.py").write_text(MODULE)
    stage.environment["PYTHONPATH"] = str(installed)
    stage.environment["NNI_CONFIG_DIR"] = str(stage.home / "config")
    meta = stage.write("meta.yml", json.dumps(META))
    done = stage.nnictl("algo", "register", "--meta_path", str(meta))
    assert done.stdout == "Halving registered sucessfully!\nNever registered sucessfully!\n"
    stage.write("trial.py", TRIAL)
    return stage


def experiment_file(stage, **tuner):
    config = {
        "searchSpace": {"the name": "x"},
        "trialCommand": "python3 trial.py",
        "trialConcurrency": 1,
        "maxTrialNumber": 4,
        "tuner": {"name": "halving", **tuner},
        "assessor": {"name": "NEVER"},
        "trainingService": {"platform": "local"},
    }
    return stage.write("experiment.yml", json.dumps(config, indent=1))


def test_a_registered_tuner_and_assessor_run_a_search(stage):
    path = experiment_file(stage, classArgs={"factor": 0.25})
    output = stage.run(
        f"""
        from nni.experiment import ExperimentConfig
        experiment = Experiment(ExperimentConfig.load({str(path)!r}))
        print("worked:", experiment.run(0))
        for trial in experiment.list_trial_jobs():
            print("trial:", trial.hyperParameters[0].parameters)
        """
    )
    assert "worked: True" in output
    trials = [line.removeprefix("trial: ") for line in output.splitlines() if line.startswith("trial: ")]
    # Its own argument and the registered one; each suggestion knows of all results before it.
    assert trials == [
        "{'x': 2.0, 'told': []}",
        "{'x': 0.5, 'told': [2.0]}",
        "{'x': 0.125, 'told': [2.0, 0.5]}",
        "{'x': 0.03125, 'told': [2.0, 0.5, 0.125]}",
    ]


def test_its_validator_is_called_before_the_start(stage):
    path = experiment_file(stage, classArgs={"factor": 2.0})
    output = stage.run(
        f"""
        from nni.experiment import ExperimentConfig
        try:
            Experiment(ExperimentConfig.load({str(path)!r})).start(0)
        except ValueError as error:
            print("refused:", error)
        """
    )
    assert "refused: tuner Halving: factor is 2.0; it should be float from 0.0 to 1.0" in output
    assert not list(stage.experiments.glob("*/db"))


def test_a_forgotten_one_is_named_as_unknown(stage):
    path = experiment_file(stage)
    stage.nnictl("algo", "unregister", "Halving")
    output = stage.run(
        f"""
        from nni.experiment import ExperimentConfig
        try:
            Experiment(ExperimentConfig.load({str(path)!r})).start(0)
        except ValueError as error:
            print("refused:", error)
        """
    )
    assert "tuner.name: there is no tuner 'halving'" in output
