"""Field reports on what every tuner owes: the right direction, no doubles, the right number of trials."""

from __future__ import annotations

import json

import pytest

TUNERS = ["Random", "TPE", "GridSearch"]
OWN_WITHOUT_RESULTS = """
from nni.tuner import Tuner

class Own(Tuner):
    def __init__(self, optimize_mode=None):
        pass

    def update_search_space(self, search_space):
        pass

    def generate_parameters(self, parameter_id, **kwargs):
        return {"x": parameter_id * 3 % 8}

    def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
        pass
"""


@pytest.mark.parametrize("tuner", [*TUNERS, "own.Own"])
@pytest.mark.parametrize(
    ("mode", "where"), [("maximize", "tuner"), ("minimize", "tuner"), ("minimize", "own")]
)
def test_the_direction(stage, tuner, mode, where):
    """Rows 102 and 103: smaller or larger is one fact of the experiment; every view has the right best."""
    stage.write(
        "trial.py", "import nni\nx = nni.get_next_parameter()['x']\nnni.report_final_result((x - 3) ** 2)\n"
    )
    stage.write("own.py", OWN_WITHOUT_RESULTS)
    process = stage.start(
        f"""
        experiment = make(trials=8, concurrency=4)
        experiment.config.search_space = {{"x": {{"_type": "uniform", "_value": [0, 10]}}}}
        if "." in {tuner!r}:
            experiment.config.tuner = {{"className": {tuner!r}, "codeDirectory": Path(__file__).parent}}
        else:
            experiment.config.tuner.name = {tuner!r}
        experiment.config.tuner.class_args = {{}}
        if {where!r} == "tuner":
            experiment.config.tuner.class_args["optimize_mode"] = {mode!r}
        else:
            experiment.config.optimize_mode = {mode!r}
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        values = [result.value for result in experiment.export_data()]
        best = (max if {mode!r} == "maximize" else min)(values)
        assert experiment.best_trial().finalMetricData[0].data == best
        print("BEST", best, flush=True)
        while not Path("go").exists():
            time.sleep(0.05)
        """
    )
    for line in process.stdout:
        if line.startswith("BEST"):
            break
    best = float(line.split()[1])
    assert json.loads(stage.nnictl("status", "--json").stdout)["best"]["objective"] == best
    parameters = json.loads(stage.nnictl("experiment", "best", "--json").stdout)
    assert (parameters["x"] - 3) ** 2 == pytest.approx(best)
    (stage.home / "go").touch()
    rest, _ = process.communicate(timeout=100)
    assert process.returncode == 0, rest
    assert stage.is_quiet(), stage.processes()


def test_known_points_come_before_the_tuners(stage):
    """Row 106: the first trials are those of the user; one that is not of the search space is refused."""
    stage.run(
        """
        experiment = make(trials=3, concurrency=1)
        experiment.config.search_space = {"lr": {"_type": "loguniform", "_value": [1e-4, 0.5]}}
        experiment.config.tuner.name = "TPE"
        experiment.config.trial_command = "true"
        experiment.config.initial_parameters = [{"lr": 0.1}, {"lr": 5}]
        try:
            experiment.run(0)
        except ValueError as error:
            assert "initial_parameters[1].lr: 5 is not within the search space" in str(error), error
        else:
            raise AssertionError("it was started")
        experiment.config.initial_parameters = [{"lr": 0.1}, {"lr": 0.01}]
        experiment.run(0)
        found = [trial.hyperParameters[0].parameters["lr"] for trial in experiment.list_trial_jobs()]
        assert found[:2] == [0.1, 0.01], found
        assert len(found) == 3 and 1e-4 <= found[2] <= 0.5, found
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_contradicting_directions(stage):
    """Row 103: two places that say different things are refused."""
    output = stage.run(
        """
        experiment = make()
        experiment.config.optimize_mode = "minimize"
        try:
            experiment.start(0)
        except ValueError as error:
            print("REFUSED", error)
        """
    )
    assert output.startswith("REFUSED") and "contradicts" in output, output


OWN = """
from lib.helper import FIRST
from nni.tuner import Tuner

class MyTuner(Tuner):
    def __init__(self, step, optimize_mode="minimize"):
        self.next, self.step = FIRST, step

    def update_search_space(self, search_space):
        self.space = search_space

    def generate_parameters(self, parameter_id, **kwargs):
        self.next += self.step
        return {"x": self.next}

    def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
        pass
"""


def test_a_class_of_ones_own(stage):
    """Row 105: by its path and folder; any JSON may be its search space; minimise is minimise."""
    folder = stage.home / "algorithms"
    (folder / "my" / "lib").mkdir(parents=True)
    (folder / "lib").mkdir()
    (folder / "lib" / "helper.py").write_text("FIRST = 10\n")
    (folder / "my" / "tuners.py").write_text(OWN)
    stage.run(
        """
        from nni.experiment import CustomAlgorithmConfig
        for space in ({}, ["anything"], {"x": {"_type": "mine"}}):
            experiment = make(trials=3, concurrency=1)
            experiment.config.search_space = space
            experiment.config.tuner = CustomAlgorithmConfig(
                class_name="my.tuners.MyTuner", code_directory="algorithms",
                class_args={"step": 2, "optimize_mode": "minimize"},
            )
            experiment.start(0)
            while experiment.get_status() not in ("DONE", "ERROR"):
                time.sleep(0.05)
            assert [result.parameter["x"] for result in experiment.export_data()] == [12, 14, 16]
            assert experiment.best_trial().hyperParameters[0].parameters == {"x": 12}
            experiment.stop()
        """
    )
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize(
    ("class_name", "class_args", "expected"),
    [
        ("nothing.MyTuner", {}, ["nothing", "algorithms"]),
        ("own.Missing", {}, ["own.py", "Missing", "MyTuner"]),
        ("own.MyTuner", {"step": 1, "stepp": 1}, ["stepp", "step, optimize_mode"]),
        ("needs.MyTuner", {}, ["a_library_that_is_not_there"]),
        ("own.NoTuner", {}, ["NoTuner", "nni.tuner.Tuner"]),
    ],
)
def test_a_class_that_cannot_be_made(stage, class_name, class_args, expected):
    """Row 105: the start fails at once, and the text says what was looked for and where."""
    folder = stage.home / "algorithms"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "helper.py").write_text("FIRST = 10\n")
    (folder / "own.py").write_text(OWN + "\nclass NoTuner:\n    pass\n")
    (folder / "needs.py").write_text("import a_library_that_is_not_there\n")
    output = stage.run(
        f"""
        from nni.experiment import CustomAlgorithmConfig
        experiment = make()
        experiment.config.tuner = CustomAlgorithmConfig(
            class_name={class_name!r}, code_directory="algorithms", class_args={class_args!r}
        )
        try:
            experiment.start(0)
        except ValueError as error:
            print("REFUSED", error)
        """
    )
    assert output.startswith("REFUSED") and all(part in output for part in expected), output
    assert "Traceback" not in output
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize("tuner", TUNERS)
@pytest.mark.parametrize(
    ("space", "points"),
    [
        ({"a": {"_type": "randint", "_value": [0, 3]}, "b": {"_type": "randint", "_value": [0, 3]}}, 9),
        ({name: {"_type": "choice", "_value": [0, 1]} for name in "abcd"}, 16),
    ],
)
def test_no_parameters_twice(stage, tuner, space, points):
    """Rows 111 and 112: a finite space is gone through once, running trials counted, and then it is DONE."""
    stage.write(
        "trial.py",
        "import time, nni\nvalue = sum(nni.get_next_parameter().values())\ntime.sleep(0.1)\n"
        "nni.report_final_result(value)\n",
    )
    stage.run(
        f"""
        experiment = make(trials=20, concurrency=8)
        experiment.config.search_space = {space!r}
        experiment.config.tuner.name = {tuner!r}
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        seen = [str(job.hyperParameters[0].parameters) for job in experiment.list_trial_jobs()]
        assert len(seen) == len(set(seen)) == {points}, seen
        """
    )
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize("tuner", TUNERS)
def test_the_number_of_trials_is_the_total(stage, tuner):
    """Row 117: not the number for each slot."""
    stage.run(
        f"""
        experiment = make(trials=20, concurrency=4)
        experiment.config.tuner.name = {tuner!r}
        experiment.start(0)
        most = 0
        while experiment.get_status() not in ("DONE", "ERROR"):
            most = max(most, sum(job.status == "RUNNING" for job in experiment.list_trial_jobs()))
        assert most <= 4
        assert [job.sequenceId for job in experiment.list_trial_jobs()] == list(range(20))
        assert len({{job.trialJobId for job in experiment.list_trial_jobs()}}) == 20
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_reading_after_the_end(stage):
    """Row 123: whether it was waited for, stopped or interrupted, every reading call works on."""
    stage.run(
        """
        def read(experiment):
            return (
                experiment.export_data(), experiment.list_trial_jobs(), experiment.get_job_metrics(),
                experiment.get_job_statistics(), experiment.get_experiment_profile(), experiment.best_trial(),
            )

        experiment = make(trials=2)
        experiment.run(0)
        first = read(experiment)
        assert len(first[0]) == len(first[1]) == len(first[2]) == 2 and experiment.get_status() == "DONE"
        experiment.stop()
        assert experiment.export_data() == first[0]

        Path(__file__).with_name("trial.py").write_text(
            "import time, nni\\nnni.report_final_result(nni.get_next_parameter()['x'])\\ntime.sleep(1000)\\n"
        )
        experiment = make(trials=5)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background

        def interrupt():
            folder = Path.home() / "nni-experiments" / experiment.id
            while not list(folder.glob("trials/*/.nni/*/reports.jsonl")):
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt).start()
        assert experiment.run(0) is None
        exported, jobs = experiment.export_data(), experiment.list_trial_jobs()
        assert experiment.get_status() == "STOPPED"
        # An interrupt that meets the end of the start ends the manager, which cancels the trials itself.
        assert {job.status for job in jobs} <= {"USER_CANCELED", "SYS_CANCELED"}
        assert [result.trialJobId for result in exported] == [
            job.trialJobId for job in jobs if job.finalMetricData
        ]
        for change, value in ((experiment.update_trial_concurrency, 3), (experiment.kill_trial_job, "abcde")):
            try:
                change(value)
            except RuntimeError as error:
                assert "not running" in str(error)
            else:
                raise AssertionError
        """
    )
    assert stage.is_quiet(), stage.processes()
