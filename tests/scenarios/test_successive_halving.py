"""Hyperband and BOHB in the product: the table of the paper, failures, a resume, intermediate results."""

from __future__ import annotations

import pytest

TRIAL = """
import sys, nni
parameters = nni.get_next_parameter()
x, budget = parameters["x"], parameters["TRIAL_BUDGET"]
for step in range(budget):
    nni.report_intermediate_result(x + step)
if x < float(sys.argv[1]):
    sys.exit(1)
if x < 0.5:
    nni.report_final_result(x + step)
"""

LOOK = """
from collections import Counter
def look(experiment):
    found = [trial.hyperParameters[0].parameters for trial in experiment.list_trial_jobs()]
    assert {trial.status for trial in experiment.list_trial_jobs()} <= {"SUCCEEDED", "FAILED"}
    return found
"""


@pytest.mark.parametrize("exec_mode", ["parallelism", "serial"])
def test_one_pass_of_hyperband(stage, exec_mode):
    """Rows 97 and 115: the counts of the paper though a resume cuts it in two, then DONE."""
    stage.write("trial.py", TRIAL)
    stage.run(
        LOOK
        + f"""
experiment = make(trials=11, concurrency=4)
experiment.config.trial_command = "python3 trial.py 0"
experiment.config.search_space = {{"x": {{"_type": "uniform", "_value": [0, 1]}}}}
experiment.config.tuner.name = "Hyperband"
experiment.config.tuner.class_args = {{"R": 9, "exec_mode": {exec_mode!r}, "repeat": False}}
assert experiment.run(0)
experiment = Experiment.resume(experiment.id, 0, wait_completion=False)
experiment.update_max_trial_number(1000)
while experiment.get_status() not in ("DONE", "ERROR"):
    time.sleep(0.05)
found = look(experiment)
budgets = Counter(parameters["TRIAL_BUDGET"] for parameters in found)
assert budgets == {{1: 9, 3: 3 + 5, 9: 1 + 1 + 3}}, budgets
first = sorted((parameters["x"] for parameters in found[:9]), reverse=True)
went_on = [parameters["x"] for parameters in found if parameters["TRIAL_BUDGET"] == 3]
assert set(first[:3]) <= set(went_on), (first, went_on)
assert not set(first[3:]) & set(went_on), (first, went_on)
experiment.stop()
"""
    )


def test_bohb_with_failures_as_an_advisor(stage):
    """Row 115: a number of trials that is no multiple of a bracket; some fail."""
    stage.write("trial.py", TRIAL)
    stage.run(
        LOOK
        + """
experiment = make(trials=17, concurrency=4)
experiment.config.trial_command = "python3 trial.py 0.3"
experiment.config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
experiment.config.tuner = None
experiment.config.advisor.name = "BOHB"
experiment.config.advisor.class_args = {"max_budget": 9, "min_points_in_model": 2, "seed": 1}
experiment.run(0)
found = look(experiment)
assert len(found) == 17
assert max(parameters["TRIAL_BUDGET"] for parameters in found) >= 3
failed = [t for t in experiment.list_trial_jobs() if t.status == "FAILED"]
assert {t.hyperParameters[0].parameters["x"] < 0.3 for t in failed} == {True}
assert experiment.get_status() == "DONE"
"""
    )
