"""Field reports on search spaces: what is written there is what a trial gets, in plain types."""

from __future__ import annotations

import pytest

TUNERS = ["Random", "TPE", "GridSearch"]

ECHO = """\
import json, nni
parameters = nni.get_next_parameter()
nni.report_final_result({"default": 0, "text": json.dumps(parameters), "type": type(parameters).__name__})
"""


@pytest.fixture
def stage(stage):
    """A stage whose trials report their parameters as JSON text."""
    stage.write("trial.py", ECHO)
    stage.write(
        "helpers.py",
        """
        import json, time

        def parameters_of(experiment):
            experiment.start(0)
            while experiment.get_status() not in ("DONE", "ERROR"):
                time.sleep(0.05)
            jobs = experiment.list_trial_jobs()
            assert {job.status for job in jobs} == {"SUCCEEDED"}, jobs
            seen = [job.finalMetricData[0].data for job in jobs]
            assert {each["type"] for each in seen} == {"dict"}
            seen = [json.loads(each["text"]) for each in seen]
            assert seen == [job.hyperParameters[0].parameters for job in jobs]
            assert seen == [result.parameter for result in experiment.export_data()]
            return seen
        """,
    )
    return stage


@pytest.mark.parametrize("tuner", TUNERS)
def test_nested_choices(stage, tuner):
    """Row 75: an option with a name arrives as a plain dict of its name and its own parameters."""
    stage.run(
        f"""
        from helpers import parameters_of
        experiment = make(trials=8, concurrency=4)
        experiment.config.tuner.name = {tuner!r}
        experiment.config.search_space = {{
            "layer": {{
                "_type": "choice",
                "_value": [
                    {{"_name": "Empty"}},
                    {{
                        "_name": "Conv",
                        "size": {{"_type": "randint", "_value": [2, 8]}},
                        "inner": {{"_type": "choice", "_value": [
                            {{"_name": "Pool", "rate": {{"_type": "quniform", "_value": [0, 1, 0.5]}}}},
                            {{"_name": "None"}},
                        ]}},
                    }},
                ],
            }}
        }}
        for parameters in parameters_of(experiment):
            layer = parameters.pop("layer")
            assert parameters == {{}}
            if layer != {{"_name": "Empty"}}:
                assert list(layer) == ["_name", "size", "inner"] and layer["_name"] == "Conv", layer
                assert type(layer["size"]) is int and 2 <= layer["size"] < 8
                inner = layer["inner"]
                assert inner == {{"_name": "None"}} or (
                    list(inner) == ["_name", "rate"] and inner["rate"] in (0, 0.5, 1)
                ), layer
        """
    )
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize("tuner", TUNERS)
def test_native_types_in_range(stage, tuner):
    """Rows 79 and 87: every type of a search space gives native numbers and text within its bounds."""
    stage.run(
        f"""
        from helpers import parameters_of
        experiment = make(trials=12, concurrency=4)
        experiment.config.tuner.name = {tuner!r}
        experiment.config.search_space = {{
            "randint": {{"_type": "randint", "_value": [3, 7]}},
            "one": {{"_type": "randint", "_value": [0, 1]}},
            "signed": {{"_type": "randint", "_value": [-5, 5]}},
            "uniform": {{"_type": "uniform", "_value": [-1, 1]}},
            "quniform": {{"_type": "quniform", "_value": [0, 10, 2]}},
            "loguniform": {{"_type": "loguniform", "_value": [1e-5, 1e-1]}},
            "qloguniform": {{"_type": "qloguniform", "_value": [1, 100, 5]}},
            "normal": {{"_type": "normal", "_value": [0, 1]}},
            "qnormal": {{"_type": "qnormal", "_value": [0, 10, 1]}},
            "lognormal": {{"_type": "lognormal", "_value": [0, 1]}},
            "qlognormal": {{"_type": "qlognormal", "_value": [0, 1, 0.5]}},
            "choice": {{"_type": "choice", "_value": [1, 2.5, "text", "ü", -1]}},
        }}
        for each in parameters_of(experiment):
            assert list(each) == list(experiment.config.search_space)
            types = {{name: type(value) for name, value in each.items()}}
            assert types.pop("choice") in (int, float, str)
            for name in ("randint", "one", "signed"):
                assert types.pop(name) is int, name
            assert set(types.values()) <= {{int, float}}, types
            assert each["randint"] in (3, 4, 5, 6) and each["one"] == 0 and -5 <= each["signed"] < 5
            assert -1 <= each["uniform"] <= 1 and each["quniform"] in (0, 2, 4, 6, 8, 10)
            assert 1e-5 <= each["loguniform"] <= 1e-1 and 1 <= each["qloguniform"] <= 100
            assert each["choice"] in experiment.config.search_space["choice"]["_value"]
        """
    )
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize("bounds", [[5, 5], [5, 4], [0.5, 2], [1], ["0", "3"]])
def test_integers_of_an_empty_range(stage, bounds):
    """Row 79: the upper bound is never drawn, so equal bounds are an error, as is whatever is no range."""
    output = stage.run(
        f"""
        experiment = make()
        experiment.config.search_space = {{"n": {{"_type": "randint", "_value": {bounds!r}}}}}
        try:
            experiment.start(0)
        except ValueError as error:
            print("REFUSED", error)
        """
    )
    assert output.startswith("REFUSED") and "search_space.n" in output, output
    assert not stage.experiments.exists()


def test_a_new_search_space_for_a_running_experiment(stage):
    """Row 82: the next trial has it, or the tuner's refusal is told and nothing changes."""
    stage.write(
        "fixed.py",
        """
        from nni.tuner import Tuner

        class Fixed(Tuner):
            space = None

            def update_search_space(self, search_space):
                if self.space is not None:
                    raise ValueError("Fixed keeps its search space")
                self.space = search_space

            def generate_parameters(self, *args, **kwargs):
                return {name: entry["_value"][0] for name, entry in self.space.items()}

            def receive_trial_result(self, *args, **kwargs):
                pass
        """,
    )
    stage.run(
        """
        wide = {"x": {"_type": "uniform", "_value": [1, 2]}, "y": {"_type": "choice", "_value": ["a"]}}
        for name in ("Random", "TPE", "GridSearch", None):
            experiment = make(trials=2)
            tuner = experiment.config.tuner
            tuner.name = name
            if name is None:
                tuner.class_name, tuner.code_directory = "fixed.Fixed", str(Path(__file__).parent)
                tuner.class_args = {}
            experiment.start(0)
            while experiment.get_status() not in ("DONE", "ERROR"):
                time.sleep(0.05)
            try:
                experiment.update_search_space(wide)
            except ValueError as error:
                assert name is None and "Fixed keeps its search space" in str(error)
            else:
                assert name is not None
            assert experiment.get_experiment_profile()["params"]["searchSpace"] == (
                wide if name else {"x": {"_type": "uniform", "_value": [0, 1]}}
            )
            experiment.update_max_trial_number(4)
            while len(experiment.export_data()) < 4:
                time.sleep(0.05)
            for result in experiment.export_data()[2:]:
                if name is None:
                    assert result.parameter == {"x": 0}
                else:
                    assert 1 <= result.parameter["x"] <= 2 and result.parameter["y"] == "a", result
            experiment.stop()
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_odd_names(stage):
    """Row 84: a name that looks like a slip is warned about, and reaches the trial as it is."""
    output = stage.run(
        """
        from helpers import parameters_of
        names = ["epochs:", " blank ", "größe 学习率", "a.b", "a/b", "[0]", "a b", "__proto__", "x" * 300]
        experiment = make(trials=1)
        experiment.config.search_space = {
            name: {"_type": "choice", "_value": [number]} for number, name in enumerate(names)
        }
        (parameters,) = parameters_of(experiment)
        assert list(parameters.items()) == [(name, number) for number, name in enumerate(names)]
        """
    )
    for name in ("'epochs:' ends with a colon", "' blank '", "'a.b'", "'a/b'", "'[0]'"):
        assert f"the name {name}" in output, output
    assert stage.is_quiet(), stage.processes()


def test_numpy_in_a_search_space(stage):
    """Row 88: numpy's numbers and arrays are converted where they come in."""
    stage.run(
        """
        import numpy as np
        from helpers import parameters_of
        options = [np.int64(1), np.float32(0.5), np.bool_(True), np.str_("text"), np.array([1, 2])]
        experiment = make(trials=9, concurrency=4)
        experiment.config.tuner.name = "GridSearch"
        experiment.config.search_space = {
            "a": {"_type": "choice", "_value": options},
            "b": {"_type": "choice", "_value": np.array([1.5, 2.5])},
            "c": {"_type": "uniform", "_value": (np.float64(0), np.int32(1))},
        }
        seen = parameters_of(experiment)
        assert {str(each["a"]) for each in seen} <= {"1", "0.5", "True", "text", "[1, 2]"}
        assert {each["b"] for each in seen} == {1.5, 2.5}
        """
    )
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize("tuner", TUNERS)
def test_objects_of_parameters(stage, tuner):
    """Row 90: a search space with parts gives parameters with the same parts."""
    stage.run(
        f"""
        from helpers import parameters_of
        experiment = make(trials=4)
        experiment.config.tuner.name = {tuner!r}
        experiment.config.search_space = {{
            "optim": {{
                "lr": {{"_type": "loguniform", "_value": [1e-4, 1]}},
                "wd": {{"_type": "choice", "_value": [0.0, 0.1]}},
                "schedule": {{"step": {{"_type": "randint", "_value": [1, 5]}}}},
            }},
            "seed": {{"_type": "randint", "_value": [0, 100]}},
        }}
        for each in parameters_of(experiment):
            assert list(each) == ["optim", "seed"] and list(each["optim"]) == ["lr", "wd", "schedule"], each
            assert 1e-4 <= each["optim"]["lr"] <= 1 and each["optim"]["wd"] in (0.0, 0.1)
            assert each["optim"]["schedule"]["step"] in (1, 2, 3, 4)
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_long_odd_values_never_become_paths(stage):
    """Row 204: folders are named by the trial's id, whatever the parameters are."""
    stage.run(
        """
        import os
        from helpers import parameters_of
        values = ["x" * 300, "a:b*?", "ü", "../x", "/etc", "CON", "a b (c)", "", "~", "$(touch owned)", "'"]
        experiment = make(trials=len(values), concurrency=4)
        experiment.config.tuner.name = "GridSearch"
        experiment.config.search_space = {"value": {"_type": "choice", "_value": values}}
        assert {each["value"] for each in parameters_of(experiment)} == set(values)
        folder = Path(experiment.get_experiment_profile()["logDir"])
        assert {path.name for path in (folder / "trials").iterdir()} == {
            job.trialJobId for job in experiment.list_trial_jobs()
        }
        assert {path.name for path in Path(__file__).parent.iterdir() if path.name != "__pycache__"} == {
            "trial.py", "helpers.py", Path(__file__).name
        }
        """
    )
    assert stage.is_quiet(), stage.processes()
