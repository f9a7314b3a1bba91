"""Assessors in experiments: nobody waits for one, the best goes on, the tuner hears of the stopped."""

from __future__ import annotations

TRIAL = """
import os, time, nni
x = nni.get_next_parameter()["x"]
for step in range(1, 6):
    nni.report_intermediate_result({"default": x * step, "step": step})
if x < 0.5:
    time.sleep(1000)
nni.report_final_result(x)
"""


def test_nobody_waits_for_a_slow_assessor(stage):
    """Neither trials, nor reports, nor the end of the experiment, nor a resume; a call takes an hour."""
    stage.write(
        "slow.py",
        """
        import time
        from nni.assessor import Assessor

        class Slow(Assessor):
            def assess_trial(self, trial_job_id, trial_history):
                print("judging", flush=True)
                time.sleep(3600)
        """,
    )
    stage.run(
        """
        experiment = make(trials=6, id="slow")
        experiment.config.assessor.class_name = "slow.Slow"
        experiment.config.assessor.code_directory = str(Path(__file__).parent)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        assert experiment.get_status() == "DONE"
        jobs, metrics = experiment.list_trial_jobs(), experiment.get_job_metrics()
        assert [job.status for job in jobs] == ["SUCCEEDED"] * 6
        assert [len(metrics[job.trialJobId]) for job in jobs] == [4] * 6
        experiment.stop()
        experiment.config.max_trial_number = 8
        assert experiment.resume(0) is True
        """
    )
    log = stage.experiments / "slow" / "log" / "dispatcher.log"
    assert log.read_text().count("judging") == 2
    assert stage.is_quiet(), stage.processes()


def test_the_best_is_not_stopped_and_the_tuner_hears_that_others_are(stage):
    """A2 with an assessor that finds all trials bad: the best so far goes on."""
    log = stage.experiments / "strict" / "log" / "dispatcher.log"
    # The first one runs until it was judged: one that has ended is judged by nobody.
    stage.write(
        "trial.py",
        TRIAL
        + f"""
while x == 1.0 and "goes on" not in open({str(log)!r}).read():
    time.sleep(0.05)
""",
    )
    stage.write(
        "mine.py",
        """
        from nni.assessor import Assessor
        from nni.tuner import Tuner

        class Strict(Assessor):
            def assess_trial(self, trial_job_id, trial_history):
                return False

        class Noting(Tuner):
            def update_search_space(self, search_space):
                pass

            def generate_parameters(self, parameter_id, **kwargs):
                return {"x": [1.0, 0.1, 0.2, 0.3][parameter_id]}

            def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
                print("result", parameters["x"], value, flush=True)

            def trial_end(self, parameter_id, success, **kwargs):
                print("end", parameter_id, success, flush=True)
        """,
    )
    stage.run(
        """
        experiment = make(trials=4, concurrency=1, id="strict")
        for part, name in ((experiment.config.tuner, "Noting"), (experiment.config.assessor, "Strict")):
            part.name = None
            part.class_name = f"mine.{name}"
            part.code_directory = str(Path(__file__).parent)
        experiment.config.tuner.class_args = None
        experiment.config.optimize_mode = "maximize"
        assert experiment.run(0) is True
        """
    )
    found = stage.run(
        """
        experiment = Experiment(None, id="strict")
        experiment.view(0, non_blocking=True)
        for job in experiment.list_trial_jobs():
            print(job.status, "|", job.message)
        experiment.stop()
        """
    )
    lines = [line for line in found.splitlines() if " | " in line]
    assert lines[0].startswith("SUCCEEDED")
    assert len(lines) == 4
    assert all(
        line.startswith("EARLY_STOPPED | Strict judged it bad after ")
        and line.endswith(" intermediate results")
        for line in lines[1:]
    ), lines
    said = log.read_text()
    heard = [line for line in said.splitlines() if line.startswith(("result", "end"))]
    assert heard == ["result 1.0 1.0", "end 0 True", "end 1 False", "end 2 False", "end 3 False"]
    assert "but it is the best so far and goes on" in said


def test_median_stopping_saves_trials_their_time(stage):
    stage.write("trial.py", TRIAL)
    output = stage.run(
        """
        experiment = make(trials=6, concurrency=1)
        experiment.config.search_space = {"x": {"_type": "choice", "_value": [0.1, 0.9, 0.8, 0.7, 0.2, 1.0]}}
        experiment.config.tuner.name = "GridSearch"
        experiment.config.initial_parameters = [{"x": 0.9}]
        experiment.config.assessor.name = "Medianstop"
        experiment.config.assessor.class_args = {"start_step": 2}
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        for job in experiment.list_trial_jobs():
            print(job.hyperParameters[0].parameters["x"], job.status, job.message)
        experiment.stop()
        """
    )
    statuses = {words[0]: words[1] for words in map(str.split, output.splitlines()) if words[0][:1] in "01"}
    assert statuses["1.0"] == statuses["0.9"] == "SUCCEEDED"
    assert statuses["0.1"] == statuses["0.2"] == "EARLY_STOPPED"
