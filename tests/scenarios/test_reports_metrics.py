"""Field reports on metrics: whatever a trial reports arrives as it was reported, and counts as it should."""

from __future__ import annotations

import json

import pytest

MEDIAN = """
    from nni.assessor import Assessor

    class Median(Assessor):
        \"\"\"Compares with the median of the others at the same step; looks at `default`.\"\"\"

        def __init__(self):
            self.curves = {}

        def assess_trial(self, trial_job_id, trial_history):
            values = [v["default"] if isinstance(v, dict) else v for v in trial_history]
            self.curves[trial_job_id] = values
            others = sorted(c[len(values) - 1] for t, c in self.curves.items() if len(c) >= len(values))
            return max(values) >= others[len(others) // 2]
"""


def test_dict_metrics(stage):
    """Row 54: every key of a dict is kept, a missing one too, and `default` is what trials are ranked by."""
    stage.write(
        "trial.py",
        """
        import nni
        x = nni.get_next_parameter()["x"]
        for step in range(10):
            metric = {"default": x * step, "loss": 1.2 - x, "acc": 0.6, "note": "ö", "list": [1, None]}
            if step % 3 == 1:
                del metric["loss"]
            nni.report_intermediate_result(metric)
        nni.report_final_result({"loss": -x, "default": x, "acc": 0.5})
        """,
    )
    stage.run(
        """
        experiment = make(trials=3)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        jobs = experiment.list_trial_jobs()
        metrics = experiment.get_job_metrics()
        for job in jobs:
            x = job.hyperParameters[0].parameters["x"]
            *steps, final = [metric.data for metric in metrics[job.trialJobId]]
            for step, data in enumerate(steps):
                expected = {"default": x * step, "loss": 1.2 - x, "acc": 0.6, "note": "ö", "list": [1, None]}
                if step % 3 == 1:
                    del expected["loss"]
                assert data == expected and list(data) == list(expected), data
            assert len(steps) == 10
            assert list(final.items()) == [("loss", -x), ("default", x), ("acc", 0.5)]
        assert [result.value for result in experiment.export_data()] == [
            job.finalMetricData[0].data for job in jobs
        ]
        best = max(jobs, key=lambda job: job.hyperParameters[0].parameters["x"])
        assert experiment.best_trial() == best
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_dicts_without_default(stage):
    """Row 55: what a built-in tuner needs is refused at the call, by its keys; trial and assessor go on."""
    stage.write("median.py", MEDIAN)
    stage.write(
        "trial.py",
        """
        import nni
        x = nni.get_next_parameter()["x"]
        for wrong in ({"acc": 1.0, "loss": x}, {}, "text", None, {"default": "much"}, [1.0]):
            try:
                nni.report_final_result(wrong)
            except ValueError as error:
                assert "report_final_result" in str(error) and "'default'" in str(error), error
                assert not wrong or not isinstance(wrong, dict) or repr(list(wrong)[0]) in str(error)
            else:
                raise AssertionError(wrong)
        for step in range(4):
            nni.report_intermediate_result({"default": x, "step": step})
        nni.report_final_result(x)
        """,
    )
    stage.run(
        """
        experiment = make(trials=4)
        experiment.config.assessor.class_name = "median.Median"
        experiment.config.assessor.code_directory = str(Path(__file__).parent)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        jobs, metrics = experiment.list_trial_jobs(), experiment.get_job_metrics()
        assert {job.status for job in jobs} <= {"SUCCEEDED", "EARLY_STOPPED"}, jobs
        assert "SUCCEEDED" in {job.status for job in jobs}
        for job in jobs:
            if job.status == "SUCCEEDED":
                assert [m.data if m.type == "FINAL" else m.data["step"] for m in metrics[job.trialJobId]] == [
                    0, 1, 2, 3, job.hyperParameters[0].parameters["x"]
                ]
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_custom_algorithms_get_what_was_reported(stage):
    """Row 55, rule T11: no number is needed where nobody needs one."""
    stage.write(
        "own.py",
        """
        import json
        from nni.assessor import Assessor
        from nni.tuner import Tuner

        class Own(Tuner):
            def update_search_space(self, search_space):
                self.heard = []

            def generate_parameters(self, parameter_id, **kwargs):
                return {"x": parameter_id}

            def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
                self.heard.append(value)
                json.dump(self.heard, open("heard.json", "w"))

        class Judge(Assessor):
            def assess_trial(self, trial_job_id, trial_history):
                json.dump(trial_history, open("judged.json", "w"))
                return True
        """,
    )
    stage.write(
        "trial.py",
        """
        import nni
        nni.get_next_parameter()
        for value in ({"acc": [0.5, None]}, "text", None, [1, {"a": True}], float("nan")):
            nni.report_intermediate_result(value)
        nni.report_final_result({"acc": {"top1": 0.5}, "words": "ü"})
        """,
    )
    stage.run(
        """
        import json
        experiment = make(trials=2, concurrency=1)
        experiment.config.tuner.name = None
        experiment.config.tuner.class_args = {}
        experiment.config.tuner.class_name = "own.Own"
        experiment.config.assessor.class_name = "own.Judge"
        for algorithm in (experiment.config.tuner, experiment.config.assessor):
            algorithm.code_directory = str(Path(__file__).parent)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        assert {job.status for job in experiment.list_trial_jobs()} == {"SUCCEEDED"}
        log = Path(experiment.get_experiment_profile()["logDir"], "log")
        final = {"acc": {"top1": 0.5}, "words": "ü"}
        assert json.loads((log / "heard.json").read_text()) == [final, final]
        *judged, last = json.loads((log / "judged.json").read_text())
        assert judged == [{"acc": [0.5, None]}, "text", None, [1, {"a": True}]] and last != last
        assert experiment.best_trial() is None
        assert [result.value for result in experiment.export_data()] == [final, final]
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_numpy_and_tensors(stage):
    """Row 57: what is one number becomes that number; what is several is refused at the call."""
    stage.write(
        "trial.py",
        """
        import nni, numpy as np

        class Tensor:
            \"\"\"As those of torch are: one element by item(), an error for more.\"\"\"
            def __init__(self, *values):
                self.values, self.shape = values, (len(values),)
            def item(self):
                if len(self.values) != 1:
                    raise RuntimeError("a Tensor with 2 elements cannot be converted to Scalar")
                return self.values[0]

        nni.get_next_parameter()
        good = [np.float32(0.5), np.float64(1), np.int64(7), np.bool_(True), np.array(2.5), np.array([3.5]),
                np.array([[4]]), Tensor(5.5), {"default": np.float32(6), "n": np.int8(1), "t": Tensor(2)}]
        for value in good:
            nni.report_intermediate_result(value)
        for wrong in (np.array([1, 2]), Tensor(1, 2), {"default": 1, "a": np.zeros(2)}, object(), {1, 2}):
            try:
                nni.report_intermediate_result(wrong)
            except TypeError as error:
                assert not isinstance(wrong, dict) or "['a']" in str(error), error
            else:
                raise AssertionError(wrong)
        nni.report_final_result(np.float32(0.25))
        """,
    )
    stage.run(
        """
        experiment = make(trials=1)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        (job,) = experiment.list_trial_jobs()
        *steps, final = [metric.data for metric in experiment.get_job_metrics()[job.trialJobId]]
        assert job.status == "SUCCEEDED", Path(job.logPath, "stderr").read_text()
        expected = [0.5, 1.0, 7, True, 2.5, 3.5, 4, 5.5, {"default": 6.0, "n": 1, "t": 2}]
        assert steps == expected and list(map(type, steps)) == list(map(type, expected)), steps
        assert final == 0.25
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_values_that_are_not_finite(stage):
    """Rows 58 and 69: NaN and infinities are kept as such, NaN is never best, and the JSON form is valid."""
    stage.write(
        "trial.py",
        """
        import nni
        nni.get_next_parameter()
        nan, inf = float("nan"), float("inf")
        value = [nan, inf, -inf, 1.0, 2.0, {"default": nan, "a": inf}][nni.get_sequence_id()]
        for _ in range(3):
            nni.report_intermediate_result(value)
        nni.report_final_result(value)
        """,
    )
    stage.write(
        "judge.py",
        """
        from nni.assessor import Assessor

        class Judge(Assessor):
            def assess_trial(self, trial_job_id, trial_history):
                return True
        """,
    )
    stage.run(
        """
        import json, math, urllib.request
        from nni_client.discovery import find_manager

        def refuse(text):
            raise AssertionError(f"{text} is not JSON")

        for mode, best in (("maximize", math.inf), ("minimize", -math.inf)):
            experiment = make(trials=6)
            experiment.config.tuner.class_args["optimize_mode"] = mode
            experiment.config.assessor.class_name = "judge.Judge"
            experiment.config.assessor.code_directory = str(Path(__file__).parent)
            experiment.start(0)
            while experiment.get_status() not in ("DONE", "ERROR"):
                time.sleep(0.05)
            jobs, metrics = experiment.list_trial_jobs(), experiment.get_job_metrics()
            assert [job.status for job in jobs] == ["SUCCEEDED"] * 6, jobs
            values = [repr(job.finalMetricData[0].data) for job in jobs]
            assert values == ["nan", "inf", "-inf", "1.0", "2.0", "{'default': nan, 'a': inf}"], values
            assert [repr(result.value) for result in experiment.export_data()] == values
            for job, value in zip(jobs, values):
                assert [repr(metric.data) for metric in metrics[job.trialJobId]] == [value] * 4
            assert experiment.best_trial().finalMetricData[0].data == best
            request = urllib.request.Request(
                f"http://127.0.0.1:{experiment.port}/nni_proto.v1.ExperimentService/ExportTrials",
                json.dumps({"parent": f"experiments/{experiment.id}"}).encode(),
                {
                    "Content-Type": "application/json",
                    "Authorization": f"Bearer {find_manager(experiment.port, None, None).address.token}",
                },
            )
            answer = json.loads(urllib.request.urlopen(request).read(), parse_constant=refuse)
            assert [trial["value"].get("doubleValue") for trial in answer["trials"]] == [
                "NaN", "Infinity", "-Infinity", 1.0, 2.0, None
            ], answer
            experiment.stop()
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_median_stopping_with_dicts(stage):
    """Row 55: Medianstop goes by `default`; a dict without it is refused at the call and harms nobody."""
    stage.write(
        "trial.py",
        """
        import time, nni
        nni.get_next_parameter()
        value = [3, 4, 5, 1, 2, 6][nni.get_sequence_id()]
        for step in range(3):
            try:
                nni.report_intermediate_result({"accuracy": 9, "loss": value})
            except ValueError as error:
                assert "'accuracy'" in str(error) and "'default'" in str(error), error
            else:
                raise AssertionError("it was taken")
            nni.report_intermediate_result({"accuracy": -value, "default": value, "note": "ö"})
        if value < 3:
            time.sleep(1000)
        nni.report_final_result({"default": value})
        """,
    )
    stage.run(
        """
        experiment = make(trials=6, concurrency=1)
        experiment.config.assessor.name = "Medianstop"
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        statuses = [job.status for job in experiment.list_trial_jobs()]
        assert statuses == [*["SUCCEEDED"] * 3, *["EARLY_STOPPED"] * 2, "SUCCEEDED"], statuses
        log = Path("nni-experiments/_latest/log/dispatcher.log").read_text()
        assert "Traceback" not in log, log
        """
    )
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize(("mode", "best"), [("maximize", "inf"), ("minimize", "-inf")])
@pytest.mark.parametrize(("tuner", "arguments"), [("TPE", {"seed": 1}), ("Hyperband", {"R": 9, "seed": 1})])
def test_algorithms_with_values_that_are_not_finite(stage, tuner, arguments, mode, best):
    """Row 58: with Medianstop beside TPE or Hyperband the search goes on to its end; NaN is never best."""
    stage.write(
        "trial.py",
        """
        import nni
        nni.get_next_parameter()
        nan, inf = float("nan"), float("inf")
        values = [nan, inf, -inf, 1.0, {"default": nan, "loss": -inf}, 2.0]
        number = nni.get_sequence_id()
        for step in range(4):
            nni.report_intermediate_result(values[(number + step) % 6])
        nni.report_final_result(values[number % 6])
        """,
    )
    stage.run(
        f"""
        import json
        experiment = make(trials=14, concurrency=3)
        experiment.config.tuner.name = {tuner!r}
        experiment.config.tuner.class_args = {arguments!r}
        experiment.config.optimize_mode = {mode!r}
        experiment.config.assessor.name = "Medianstop"
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        jobs = experiment.list_trial_jobs()
        assert len(jobs) == 14 and experiment.get_status() == "DONE"
        assert {{job.status for job in jobs}} <= {{"SUCCEEDED", "EARLY_STOPPED"}}, jobs
        assert experiment.best_trial().finalMetricData[0].data == float({best!r})
        log = Path("nni-experiments/_latest/log/dispatcher.log").read_text()
        assert "Traceback" not in log, log
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_the_best_of_a_curve_that_falls_again(stage, id_in):
    """Row 72: a trial is worth its final result, in every view, however good it was in between."""
    stage.write(
        "trial.py",
        """
        import nni
        nni.get_next_parameter()
        curve = [[0.5, 0.9, 0.6], [0.1, 0.2, 0.7], [0.95, 0.99, 0.3]][nni.get_sequence_id()]
        for value in curve:
            nni.report_intermediate_result(value)
        nni.report_final_result(curve[-1])
        """,
    )
    output = stage.run(
        """
        experiment = make(trials=3, concurrency=1)
        experiment.run(0)
        best, jobs = experiment.best_trial(), experiment.list_trial_jobs()
        assert best == jobs[1] and best.finalMetricData[0].data == 0.7
        assert experiment.best_trials() == [best]
        assert [result.value for result in experiment.export_data()] == [0.6, 0.7, 0.3]
        print("BEST", best.trialJobId)
        """
    )
    assert "objective   0.7, the highest final result is best" in output
    assert "3/3 done, 0 running, 0 failed, best 0.7" in output
    best = output.partition("BEST ")[2].split()[0]
    experiment_id = id_in(output)
    (first,) = json.loads(stage.nnictl("trial", "ls", experiment_id, "--head", "1").stdout)
    assert (first["trialJobId"], first["objective"]) == (best, 0.7)
    status = json.loads(stage.nnictl("status", experiment_id, "--json").stdout)
    assert (status["best"]["id"], status["best"]["objective"]) == (best, 0.7)
    assert f"trial       {best} " in stage.nnictl("experiment", "best", experiment_id).stdout
    summary = json.loads((stage.experiments / experiment_id / "summary.json").read_text())
    assert (summary["best_trial_id"], summary["best_objective"]) == (best, 0.7)
    assert stage.is_quiet(), stage.processes()
