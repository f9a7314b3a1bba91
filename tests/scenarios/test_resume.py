"""Experiments that go on after their script, their manager or their day has ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter

import pytest
from nni.experiment import Experiment

pytestmark = pytest.mark.slow

COUNTED = """\
import time, nni
x = nni.get_next_parameter()["x"]
with open("runs", "a") as file:
    file.write(nni.get_trial_id() + "\\n")
for step in range({steps}):
    nni.report_intermediate_result(step)
    time.sleep(0.2 if nni.get_sequence_id() < {patient} else 0)
nni.report_final_result(x)
"""


@pytest.fixture
def counted(stage):
    """Writes a trial that notes each of its runs; returns what tells the trials that ran so far.

    The first of them, as many as are `patient`, take 0.2 seconds for each step.
    """

    def write(steps=1, patient=1000):
        stage.write("counted.py", COUNTED.format(steps=steps, patient=patient))
        (stage.folder / "runs").touch()
        return lambda: (stage.folder / "runs").read_text().split()

    return write


@pytest.fixture
def facts(stage, monkeypatch):
    """Tells what the record of an experiment has, read by who knows its id alone."""

    def read(experiment_id="mine"):
        with monkeypatch.context() as patch:
            for name in ("HOME", "NNI_RUNTIME_DIR"):
                patch.setenv(name, stage.environment[name])
            experiment = Experiment(None, id=experiment_id)
            trials, metrics = experiment.list_trial_jobs(), experiment.get_job_metrics()
            return {
                "status": experiment.get_status(),
                "ids": [trial.trialJobId for trial in trials],
                "numbers": [trial.sequenceId for trial in trials],
                "statuses": [trial.status for trial in trials],
                "intermediates": [
                    [it.data for it in metrics.get(trial.trialJobId, []) if it.type == "PERIODICAL"]
                    for trial in trials
                ],
                "finals": [t.finalMetricData[0].data if t.finalMetricData else None for t in trials],
            }

    return read


@pytest.fixture
def kill_manager(stage):
    """Kills the manager of an experiment and returns what its folder had said of it."""

    def kill(experiment_id="mine"):
        record = json.loads((stage.experiments / experiment_id / "manager.json").read_text())
        os.kill(record["pid"], signal.SIGKILL)
        assert stage.until(lambda: record["pid"] not in stage.processes())
        return record

    return kill


@pytest.mark.parametrize("form", ["Experiment(None, id='mine').resume(0)", "Experiment.resume('mine', 0)"])
def test_a_killed_manager_and_script(stage, counted, facts, kill_manager, form):
    """What ran goes on, is not run again, and every report is there once."""
    runs = counted(steps=15, patient=2)
    process = stage.start("make('python3 counted.py', trials=6, id='mine').run(0)")
    assert stage.until(lambda: len(runs()) >= 2)
    process.kill()
    process.communicate()
    kill_manager()
    listed = stage.run(
        """
        (found,) = Experiment.get_all_experiments_metadata()
        print(found["id"], found["status"], found["interrupted"], found["pid"])
        print(Experiment(None, id="mine").get_status())
        """
    )
    assert listed == "mine STOPPED True None\nSTOPPED\n"
    assert "RESULT True" in stage.run(f"print('RESULT', {form})")
    found = facts()
    assert found["status"] == "DONE"
    assert found["numbers"] == list(range(6))
    assert set(found["statuses"]) == {"SUCCEEDED"}
    assert Counter(runs()) == Counter(found["ids"]), "each ran once"
    assert found["intermediates"] == [list(range(15))] * 6
    assert None not in found["finals"]
    assert stage.is_quiet(), stage.processes()


def test_a_killed_script_alone(stage, counted, facts):
    """The experiment goes on; whoever connects can stop it, and it can go on once more."""
    runs = counted(steps=500)
    process = stage.start("make('python3 counted.py', trials=6, id='mine').run(0)")
    assert stage.until(lambda: len(runs()) >= 2)
    process.kill()
    process.communicate()
    record = json.loads((stage.experiments / "mine" / "manager.json").read_text())
    output = stage.run(
        f"""
        for call in (lambda: Experiment.resume("mine", 0), lambda: make(id="other").start({record["port"]})):
            try:
                call()
            except RuntimeError as error:
                print("REFUSED", str(error).replace("\\n", " "))
        experiment = Experiment.connect({record["port"]})
        print("CONNECTED", experiment.id, experiment.get_status())
        experiment.stop()
        print("STOPPED", experiment.get_status())
        """
    )
    refusals = [line for line in output.splitlines() if line.startswith("REFUSED")]
    assert len(refusals) == 2
    for refusal in refusals:
        assert f"Experiment.connect({record['port']})" in refusal
        assert "nnictl stop mine" in refusal
    assert "CONNECTED mine RUNNING" in output
    assert "STOPPED STOPPED" in output
    assert stage.is_quiet(), stage.processes()
    canceled = [
        name
        for name, status in zip(facts()["ids"], facts()["statuses"], strict=True)
        if status != "SUCCEEDED"
    ]
    counted(steps=1)
    stage.run("assert Experiment.resume('mine', 0) is True")
    found = facts()
    assert found["status"] == "DONE"
    assert {found["statuses"][found["ids"].index(name)] for name in canceled} <= {"USER_CANCELED"}
    assert len(found["ids"]) == 6


def test_a_killed_manager_is_noticed_by_the_script(stage, counted, kill_manager):
    runs = counted(steps=15, patient=2)
    process = stage.start(
        """
        experiment = make("python3 counted.py", trials=4, id="mine")
        print("RUN", experiment.run(0))
        print("STATUS", experiment.get_status())
        print("RESUMED", experiment.resume(0), experiment.get_status())
        """
    )
    assert stage.until(lambda: len(runs()) >= 2)
    kill_manager()
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 0, output
    assert "RUN False" in output
    assert "STATUS STOPPED" in output
    assert "RESUMED True DONE" in output
    assert len(runs()) == 4


def test_more_trials_and_fewer(stage, counted, facts):
    runs = counted()
    stage.run(
        """
        experiment = make("python3 counted.py", trials=3, id="mine")
        assert experiment.run(0) is True
        experiment.config.max_trial_number = 5
        assert experiment.resume(0) is True
        assert len(experiment.list_trial_jobs()) == 5
        """
    )
    assert Counter(runs()) == Counter(facts()["ids"])
    output = stage.run(
        """
        experiment = Experiment(None, id="mine")
        experiment.load_checkpoint()
        experiment.config.max_trial_number = 2
        print("RESULT", experiment.resume(0), experiment.get_status())
        """
    )
    assert "RESULT True DONE" in output
    assert "max_trial_number: 5 -> 2" in output
    assert len(runs()) == 5
    assert stage.is_quiet(), stage.processes()


def test_one_can_be_managed_without_waiting(stage, counted, facts):
    counted(steps=2)
    output = stage.run(
        """
        experiment = make("python3 counted.py", trials=200, id="mine")
        experiment.run(0, wait_completion=False)
        experiment.stop()
        experiment = Experiment.resume("mine", 0, wait_completion=False)
        experiment.pause()
        while any(trial.status == "RUNNING" for trial in experiment.list_trial_jobs()):
            time.sleep(0.1)
        own = experiment.create_trial({"x": 0.125})
        print("OWN", own.hyperParameters[0].parameters, own.hyperParameters[0].parameter_source)
        time.sleep(0.5)
        assert experiment.get_trial_job(own.trialJobId).status == "WAITING"
        assert {trial.status for trial in experiment.list_trial_jobs()}.isdisjoint({"RUNNING", "UNKNOWN"})
        assert experiment.import_data([{"parameter": {"x": 0.5}, "value": 3.0}]) == 1
        experiment.unpause()
        while experiment.get_trial_job(own.trialJobId).status != "SUCCEEDED":
            time.sleep(0.1)
        print("FINAL", experiment.get_trial_job(own.trialJobId).finalMetricData[0].data)
        experiment.stop()
        """
    )
    assert "OWN {'x': 0.125} customized" in output
    assert "FINAL 0.125" in output
    assert facts()["status"] == "STOPPED"
    assert stage.is_quiet(), stage.processes()


def test_a_view_and_reading_without_one(stage, counted):
    counted()
    stage.run("make('python3 counted.py', trials=3, id='mine').run(0)")
    output = stage.run(
        """
        def answers(it):
            trials = it.list_trial_jobs()
            return (trials, it.get_trial_job(trials[0].trialJobId), it.get_job_metrics(), it.best_trial(),
                    it.best_trials({"default": "minimize"}), it.get_job_statistics(), it.export_data(),
                    it.get_experiment_profile(), it.to_dataframe().to_csv())

        seen = []
        for view in (Experiment.view("mine", 0, non_blocking=True),
                     Experiment(None, id="mine").view(0, wait_completion=False)):
            print("VIEW", view.get_status(), len(view.list_trial_jobs()), len(view.export_data()))
            seen.append(answers(view))
            try:
                view.update_trial_concurrency(3)
            except RuntimeError as error:
                print("REFUSED", error)
            view.stop()
            print("AFTER", view.get_status(), view.port)
        read = Experiment(None, id="mine")
        print("READ", read.get_status(), len(read.list_trial_jobs()), read.best_trial().status, read.config)
        print("BEST", len(read.best_trials()), read.get_job_statistics())
        assert seen == [answers(read)] * 2
        Experiment.view("mine", 0, non_blocking=True)  # it ends with the script
        """
    )
    assert output.count("VIEW DONE 3 3") == 2
    assert output.count("REFUSED experiment 'mine' is only shown") == 2
    assert output.count("AFTER DONE None") == 2
    assert "READ DONE 3 SUCCEEDED None" in output
    assert "BEST 1 " in output
    assert stage.is_quiet(), stage.processes()


def test_a_view_ends_with_a_killed_script(stage, counted):
    counted()
    stage.run("make('python3 counted.py', trials=1, id='mine').run(0)")
    process = stage.start("Experiment.view('mine', 0)\n")
    output = ""
    while "Press Ctrl-C" not in output:
        output += process.stdout.readline()
    process.kill()
    process.communicate()
    assert stage.is_quiet(), stage.processes()


def test_it_is_connected_to_by_address_and_token(stage, counted):
    counted(steps=50)
    stage.run("make('python3 counted.py', trials=200, id='mine').start(0, run_mode=RunMode.Detach)")
    record = json.loads((stage.experiments / "mine" / "manager.json").read_text())
    script = f"""
        experiment = Experiment.connect("127.0.0.1:{record["port"]}", token={{token!r}})
        print(experiment.id)
        print(experiment.get_status())
        experiment.stop()
        print(experiment.get_status())
        """
    with stage.start(script.format(token="wrong")) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "AccessDeniedError" in output
    assert stage.run(script.format(token=record["token"])) == "mine\nRUNNING\nSTOPPED\n"
    assert stage.is_quiet(), stage.processes()


def test_an_experiment_in_another_folder_is_found(stage, counted):
    counted()
    other = stage.home / "elsewhere"
    stage.run(
        f"""
        experiment = make("python3 counted.py", trials=2, id="mine")
        experiment.config.experiment_working_directory = {str(other)!r}
        experiment.run(0)
        """
    )
    assert (other / "mine" / "summary.json").is_file()
    assert stage.run("print(Experiment(None, id='mine').get_status())") == "DONE\n"
    (stage.home / ".config" / "nni" / "experiments-directories").unlink()
    script = f"""
        experiment = Experiment(None, id="mine")
        print(experiment.has_checkpoint())
        try:
            experiment.resume()
        except RuntimeError as error:
            print(error)
        Experiment.view("mine", 0, non_blocking=True, experiments_directory={str(other)!r}).stop()
        print(experiment.has_checkpoint())
        """
    output = stage.run(script)
    assert "False\nExperiment mine does not exist thus cannot be resumed." in output
    assert output.endswith("True\n")


def test_a_tuner_of_ones_own_knows_what_it_knew(stage, counted, kill_manager, facts):
    counted(steps=2)
    stage.write(
        "counting.py",
        """
        from nni.tuner import Tuner

        class Counting(Tuner):
            def __init__(self, start):
                self.next, self.results = start, {}

            def update_search_space(self, search_space):
                pass

            def generate_parameters(self, parameter_id, **kwargs):
                self.next += 1
                return {"x": self.next, "known": len(self.results)}

            def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
                self.results[parameter_id] = value
        """,
    )
    process = stage.start(
        """
        experiment = make("python3 counted.py", trials=8, concurrency=1, id="mine")
        experiment.config.tuner = {"className": "counting.Counting", "classArgs": {"start": 10}}
        experiment.config.tuner.code_directory = Path(__file__).parent
        experiment.run(0)
        """
    )
    summary = stage.experiments / "mine" / "summary.json"
    assert stage.until(
        lambda: summary.exists() and json.loads(summary.read_text())["trial_counts"].get("SUCCEEDED", 0) >= 3
    )
    process.kill()
    process.communicate()
    kill_manager()
    stage.run("assert Experiment.resume('mine', 0) is True")
    assert facts()["finals"] == [11, 12, 13, 14, 15, 16, 17, 18]
    known = stage.run(
        """
        trials = Experiment(None, id="mine").list_trial_jobs()
        print([trial.hyperParameters[0].parameters["known"] for trial in trials])
        """
    )
    assert json.loads(known) == list(range(8)), "one at a time: each suggestion knows all results before it"


MAIN_CLASSES = """
from nni.tuner import Tuner
from nni.assessor import Assessor, AssessResult

STEP = 5

class Base(Tuner):
    def __init__(self, start):
        super().__init__()
        self.next = start

class Stepping(Base):
    def generate_parameters(self, parameter_id, **kwargs):
        import beside
        self.next += STEP
        return {"x": self.next, "beside": beside.VALUE}

    def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
        pass

    def update_search_space(self, search_space):
        pass

class Strict(Assessor):
    def assess_trial(self, trial_job_id, history):
        return AssessResult.Good

def configured(**options):
    experiment = make("python3 counted.py", concurrency=1, id="mine", **options)
    experiment.config.tuner = {"className": "__main__.Stepping", "classArgs": {"start": 0}}
    experiment.config.assessor = {"className": "__main__.Strict", "codeDirectory": Path(__file__).parent}
    experiment.config.tuner.code_directory = Path(__file__).parent
    return experiment
"""


def test_classes_of_the_script_itself(stage, counted, facts):
    """They are where the resume finds them, whether the script that goes on has them or not."""
    counted()
    stage.write("beside.py", "VALUE = 3")
    begin = "experiment = configured(trials=2)\nassert experiment.run(0) is True\n"
    stage.run(MAIN_CLASSES + begin + "experiment.config.max_trial_number = 3\nassert experiment.resume(0)\n")
    assert facts()["finals"] == [5, 10, 15]
    stage.run(f"{MAIN_CLASSES}assert configured(trials=4).resume(0) is True")
    assert facts()["finals"] == [5, 10, 15, 20]
    stage.run(
        """
        experiment = Experiment(None, id="mine")
        experiment.load_checkpoint()
        experiment.config.max_trial_number = 6
        assert experiment.resume(0) is True
        """
    )
    assert facts()["finals"] == [5, 10, 15, 20, 25, 30]


def test_classes_of_a_notebook(stage, counted, facts):
    """A cell's code has no file, as that of `python -c` has none."""
    counted()
    stage.write("beside.py", "VALUE = 3")
    stage.run(MAIN_CLASSES)
    source = next(path for path in stage.folder.glob("script*.py")).read_text()
    body = source.replace("Path(__file__).parent", f"Path({str(stage.folder)!r})")
    body += "\nassert configured(trials=2).run(0) is True\n"
    done = subprocess.run(
        [sys.executable, "-c", f"exec(compile({body!r}, '<cell>', 'exec'))"],
        env=stage.environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert facts()["finals"] == [5, 10]


def test_a_class_that_is_not_there_or_cannot_be_sent(stage):
    output = stage.run(
        """
        lock = threading.Lock()
        class Locked:
            def use(self):
                return lock
        for name in ("Missing", "Locked", "lock"):
            experiment = make(id="mine")
            experiment.config.tuner = {"className": f"__main__.{name}"}
            try:
                experiment.start(0)
            except ValueError as error:
                print(error)
        """
    )
    assert output.count("tuner.class_name: there is no class ") == 2
    assert "tuner.class_name: Locked cannot be sent to the process of the algorithm" in output
    assert not (stage.experiments / "mine").exists()


def test_only_what_failed_is_tried_once_more(stage, facts):
    stage.write(
        "failing.py",
        """
        import os, nni
        x = nni.get_next_parameter()["x"]
        if nni.get_sequence_id() in (2, 5, 9):
            raise ValueError("out of memory")
        nni.report_final_result(x)
        """,
    )
    stage.run("assert make('python3 failing.py', trials=10, id='mine').run(0) is True")
    before = facts()
    output = stage.run("assert Experiment.resume('mine', 0, retry_failed=True) is True")
    assert "3 failed: exit code 1 (ValueError: out of memory)" in output
    after = facts()
    assert after["ids"][:10] == before["ids"]
    assert [after["statuses"].count(name) for name in ("SUCCEEDED", "FAILED")] == [10, 3]
    parameters = stage.run(
        """
        trials = Experiment(None, id="mine").list_trial_jobs()
        assert all(trial.hyperParameters[0].parameter_source == "customized" for trial in trials[10:])
        x = [trial.hyperParameters[0].parameters["x"] for trial in trials]
        print([x[2], x[5], x[9]] == sorted(x[10:], key=x.index))
        """
    )
    assert parameters == "True\n"
    stage.run("assert Experiment.resume('mine', 0, retry_failed=True) is True")
    assert len(facts()["ids"]) == 13, "nothing is left to be tried"
    assert stage.is_quiet(), stage.processes()


def test_why_trials_failed_is_in_the_summary(stage):
    stage.write(
        "failing.py",
        """
        import sys, nni
        x = nni.get_next_parameter()["x"]
        if x > 0.5:
            raise ValueError("too large")
        nni.report_final_result(x)
        sys.exit(3)
        """,
    )
    output = stage.run(
        """
        experiment = make("python3 failing.py", trials=6)
        experiment.config.tuner.class_args["seed"] = 1
        experiment.config.stop_on_early_failures = False
        print("RESULT", experiment.run(0))
        """
    )
    failures = [line.split("failed: ")[1] for line in output.splitlines() if " failed: " in line]
    assert set(failures) == {"exit code 1 (ValueError: too large)", "exit code 3"}
    assert "nnictl view" in output
    assert "RESULT False" in output


def test_the_best_parameters_run_alone(stage, counted):
    counted()
    shown = stage.run(
        """
        import json
        experiment = make("python3 counted.py", trials=2, id="mine")
        experiment.run(0)
        print(json.dumps(experiment.best_trial().hyperParameters[0].parameters))
        """
    ).splitlines()[-1]
    best = stage.nnictl("experiment", "best", "mine", "--json").stdout
    assert json.loads(best) == json.loads(shown)
    (stage.folder / "best.json").write_text(best)
    stage.write("train.py", "import nni\nprint(nni.get_next_parameter())")
    done = subprocess.run(
        [sys.executable, stage.folder / "train.py"],
        env={**stage.environment, "NNI_PARAMETERS": str(stage.folder / "best.json")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == str(json.loads(best))
