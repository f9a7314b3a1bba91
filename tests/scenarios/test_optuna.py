"""Samplers of Optuna in real experiments: the example, and the same suggestions as by hand, over a resume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nni_manager.algorithms.tuners.optuna import OptunaTuner

EXAMPLE = Path(__file__).parents[2] / "examples" / "optuna"

SPACE = {"x": {"_type": "uniform", "_value": [0, 1]}, "n": {"_type": "randint", "_value": [0, 5]}}
SAMPLERS = {
    "TPESampler": {"n_startup_trials": 4},
    "NSGAIISampler": {"population_size": 5},
}

TRIAL = """\
import sys, nni
parameters = nni.get_next_parameter()
if parameters["n"] == 0:
    sys.exit("bad luck")
nni.report_final_result({"default": parameters["x"] - parameters["n"], "seconds": 1})
"""


@pytest.mark.slow
def test_the_example(stage, id_in):
    for source in EXAMPLE.iterdir():
        stage.write(source.name, source.read_text())
    output = stage.nnictl(
        "create", "--config", str(stage.folder / "config.yml"), "--foreground", "--port", "0"
    )
    assert "40/40 done" in output.stdout
    listed = json.loads(stage.nnictl("trial", "ls", id_in(output.stdout), "--json").stdout)
    assert {trial["status"] for trial in listed} == {"SUCCEEDED"}
    shapes = [json.loads(trial["hyperParameters"][0])["parameters"]["shape"] for trial in listed]
    assert {shape["_name"] for shape in shapes} == {"valley", "waves"}
    assert all(("frequency" in shape) == (shape["_name"] == "waves") for shape in shapes)
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_suggestions_are_those_of_the_sampler_over_failures_and_a_resume(stage, sampler):
    arguments = {"sampler": sampler, "sampler_args": SAMPLERS[sampler], "seed": 3}
    stage.write("trial.py", TRIAL)
    stage.run(f"""
import json
experiment = make(trials=9, concurrency=1, id="mine")
experiment.config.search_space = {SPACE!r}
experiment.config.tuner.name = "Optuna"
experiment.config.tuner.class_args = {arguments!r}
experiment.run(0)
experiment = Experiment.resume("mine", 0, wait_completion=False)
experiment.update_max_trial_number(18)
while experiment.get_status() not in ("DONE", "ERROR"):
    time.sleep(0.05)
trials = experiment.list_trial_jobs()
found = [[it.status, it.hyperParameters[0].parameters] for it in sorted(trials, key=lambda it: it.sequenceId)]
Path("found.json").write_text(json.dumps(found))
experiment.stop()
""")
    found = json.loads((stage.home / "found.json").read_text())
    tuner = OptunaTuner(**arguments)
    tuner.update_search_space(SPACE)
    expected = []
    for number in range(18):
        parameters = tuner.generate_parameters(number)
        succeeds = parameters["n"] != 0
        if succeeds:
            tuner.receive_trial_result(number, parameters, {"default": parameters["x"] - parameters["n"]})
        tuner.trial_end(number, succeeds)
        expected.append(["SUCCEEDED" if succeeds else "FAILED", parameters])
    assert found == expected
    assert {status for status, _ in found} == {"SUCCEEDED", "FAILED"}
