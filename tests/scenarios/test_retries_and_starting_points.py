"""Trials that are run again, too many that fail, and what is tried first, with real trials."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.slow

DYING = """\
import json, os, signal, sys, nni
x = nni.get_next_parameter()["x"]
attempt = int(os.environ["NNI_TRIAL_ATTEMPT"])
with open("runs", "a") as file:
    file.write(json.dumps([nni.get_sequence_id(), attempt, x]) + "\\n")
nni.report_intermediate_result(attempt)
if nni.get_sequence_id() == 0 and attempt < 1 or nni.get_sequence_id() == 1:
    os.kill(os.getpid(), signal.SIGKILL)
if nni.get_sequence_id() == 2:
    sys.exit("bad luck")
nni.report_final_result(x)
"""


def test_a_trial_that_was_killed_is_run_again(stage):
    """As often as is allowed, with its parameters; one that exits by itself is not run again."""
    stage.write("dying.py", DYING)
    output = stage.run(
        """
        experiment = make("python3 dying.py", trials=4, concurrency=1, id="mine")
        experiment.config.max_trial_retries = 1
        experiment.run(0)
        trials = experiment.list_trial_jobs()
        metrics = experiment.get_job_metrics(trials[0].trialJobId)[trials[0].trialJobId]
        print("STATUSES", *[trial.status for trial in trials])
        print("REPORTED", *[metric.data for metric in metrics if metric.type == "PERIODICAL"])
        """
    )
    runs = [json.loads(line) for line in (stage.folder / "runs").read_text().splitlines()]
    assert [run[:2] for run in runs] == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0], [3, 0]]
    assert runs[0][2] == runs[1][2] and runs[2][2] == runs[3][2]
    assert "STATUSES SUCCEEDED FAILED FAILED SUCCEEDED" in output
    assert "REPORTED 1\n" in output
    assert "1 failed: ended by signal 9 (SIGKILL)" in output
    assert "1 failed: exit code 1 (bad luck)" in output
    listed = json.loads(stage.nnictl("trial", "ls", "mine").stdout)
    assert [trial["attempt"] for trial in listed] == [1, 1, 0, 0]
    assert "SIGKILL" in listed[1]["message"] and listed[2]["stderrTail"].strip() == "bad luck"
    assert stage.is_quiet(), stage.processes()


def test_too_many_failures_end_it_and_it_can_go_on(stage):
    stage.write(
        "failing.py",
        """
        import nni
        x = nni.get_next_parameter()["x"]
        if nni.get_sequence_id() in (1, 3):
            raise ValueError("no luck")
        nni.report_final_result(x)
        """,
    )
    output = stage.run(
        """
        experiment = make("python3 failing.py", trials=6, concurrency=1, id="mine")
        experiment.config.max_failed_trial_number = 2
        print("RESULT", experiment.run(0), experiment.get_status(), len(experiment.list_trial_jobs()))
        experiment.config.max_failed_trial_number = 5
        print("RESULT", experiment.resume(0), experiment.get_status(), len(experiment.list_trial_jobs()))
        """
    )
    assert "RESULT False ERROR 4" in output
    assert "max_failed_trial_number (2) is reached" in output
    assert "RESULT True DONE 6" in output
    assert stage.is_quiet(), stage.processes()


def test_a_failed_trial_counts_as_the_worst_result(stage):
    """Row 220: the tuner is told of it, a rebuilt one too, and everybody sees that the trial has failed."""
    stage.write(
        "mine.py",
        """
        from pathlib import Path
        from nni.tuner import Tuner

        class Mine(Tuner):
            def update_search_space(self, space):
                pass
            def generate_parameters(self, parameter_id, **options):
                return {"x": parameter_id}
            def receive_trial_result(self, parameter_id, parameters, value, **options):
                with Path("told").open("a") as file:
                    file.write(f"{parameter_id} {value}\\n")
            def trial_end(self, parameter_id, success, **options):
                with Path("told").open("a") as file:
                    file.write(f"{parameter_id} {success}\\n")
        """,
    )
    stage.write(
        "failing.py",
        """
        import nni
        number = nni.get_sequence_id()
        nni.get_next_parameter()
        if number in (0, 2, 4):
            raise ValueError("no luck")
        nni.report_final_result(10.0 + number)
        """,
    )
    output = stage.run(
        """
        from nni_config import AlgorithmConfig
        experiment = make("python3 failing.py", trials=4, concurrency=1, id="mine")
        experiment.config.tuner = AlgorithmConfig(
            class_name="mine.Mine", code_directory=experiment.config.trial_code_directory
        )
        experiment.config.optimize_mode = "maximize"
        experiment.config.failed_trial_result = "worst"
        experiment.run(0)
        experiment.config.max_trial_number = 5
        experiment.resume(0)
        trials = experiment.list_trial_jobs()
        print("STATUSES", *[trial.status for trial in trials])
        print("RESULTS", *[len(trial.finalMetricData) for trial in trials])
        """
    )
    assert "STATUSES FAILED SUCCEEDED FAILED SUCCEEDED FAILED" in output
    assert "RESULTS 0 1 0 1 0" in output
    told = (stage.experiments / "mine" / "log" / "told").read_text().splitlines()
    first = ["0 False", "1 11.0", "1 True", "2 11.0", "2 False", "3 13.0", "3 True"]
    assert told == [*first, *first, "4 11.0", "4 False"]
    assert stage.is_quiet(), stage.processes()


def test_starting_points_may_be_partial(stage):
    """The tuner completes them and hears their results; they come first and count."""
    stage.write(
        "own.py",
        """
        from nni.tuner import Tuner

        class Own(Tuner):
            def __init__(self):
                self._accept_customized_trials()

            def update_search_space(self, search_space):
                pass

            def generate_parameters(self, parameter_id, **kwargs):
                return {"x": 0.75, "y": 9}

            def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
                with open("heard", "a") as file:
                    print(parameters["x"], parameters["y"], value, kwargs["customized"], file=file)
        """,
    )
    stage.write(
        "trial.py",
        "import nni\np = nni.get_next_parameter()\nnni.report_final_result(p['x'] + p['y'])\n",
    )
    stage.run(
        """
        experiment = make(trials=3, concurrency=1, id="mine")
        space = {"_type": "uniform", "_value": [0, 10]}
        experiment.config.search_space = {"x": space, "y": space}
        experiment.config.tuner = {"className": "own.Own", "codeDirectory": Path(__file__).parent}
        experiment.config.initial_parameters = [{"x": 0.5}, {"x": 0.25, "y": 2}]
        assert experiment.run(0) is True
        found = [trial.hyperParameters[0].parameters for trial in experiment.list_trial_jobs()]
        assert found == [{"x": 0.5, "y": 9}, {"x": 0.25, "y": 2}, {"x": 0.75, "y": 9}]
        """
    )
    stage.nnictl("experiment", "export", "mine", "-f", "out.json")
    exported = json.loads((stage.home / "out.json").read_text())
    assert [it["source"] for it in exported] == ["initial", "initial", "algorithm"]
    heard = (stage.experiments / "mine" / "log" / "heard").read_text().splitlines()
    assert heard == ["0.5 9 9.5 False", "0.25 2 2.25 True", "0.75 9 9.75 False"]
    assert stage.is_quiet(), stage.processes()
