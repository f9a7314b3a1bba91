"""Field reports on tuners that are slow, stop, fail, or have nothing more to propose."""

from __future__ import annotations

import pytest

OWN = """
import os, signal, time
from pathlib import Path
from nni import NoMoreTrialError
from nni.tuner import Tuner

class Own(Tuner):
    def __init__(self, fail_in="", fail_at=0, seconds=0.0, limit=10 ** 6, dies_of=None):
        self.fail_in, self.fail_at, self.seconds, self.limit = fail_in, fail_at, seconds, limit
        self.dies_of = dies_of
        self.calls = {}

    def note(self, name):
        self.calls[name] = self.calls.get(name, 0) + 1
        if name == self.fail_in and self.calls[name] == self.fail_at:
            raise ZeroDivisionError(f"fault in {name}")

    def update_search_space(self, search_space):
        Path("pid").write_text(str(os.getpid()))

    def generate_parameters(self, parameter_id, **kwargs):
        self.note("generate_parameters")
        time.sleep(self.seconds)
        if parameter_id >= self.limit:
            raise NoMoreTrialError("enough")
        return {"x": parameter_id}

    def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
        self.note("receive_trial_result")
        if value == self.dies_of:
            os.kill(os.getpid(), signal.SIGKILL)
        assert parameters == {"x": parameter_id}
        with open("results", "a") as file:
            print(parameter_id, value, file=file)

    def trial_end(self, parameter_id, success, **kwargs):
        self.note("trial_end")
        with open("ends", "a") as file:
            print(parameter_id, success, file=file)
"""

USE_OWN = """
def own(experiment, **arguments):
    tuner = experiment.config.tuner
    tuner.name, tuner.class_name, tuner.class_args = None, "own.Own", arguments
    tuner.code_directory = str(Path(__file__).parent)
    return experiment

def log_of(experiment):
    return Path(experiment.get_experiment_profile()["logDir"], "log")
"""


@pytest.fixture
def stage(stage):
    """A stage with a tuner of its own in own.py, and `own` and `log_of` in helpers.py."""
    stage.write("own.py", OWN)
    stage.write("helpers.py", "from pathlib import Path\n" + USE_OWN)
    return stage


def test_results_that_come_twice_late_or_never(stage):
    """Row 18: the tuner hears the first result of each trial once, before its end, and lives on."""
    stage.write(
        "trial.py",
        """
        import os, subprocess, sys, nni
        x = nni.get_next_parameter()["x"]
        kind = x % 5
        if kind != 4:
            nni.report_final_result(x)
        if kind == 1:
            nni.report_final_result(x + 0.5)
        if kind == 2:
            from multiprocessing import get_context
            for _ in range(2):
                if os.fork() == 0:
                    nni.report_final_result(x + 0.25)
                    os._exit(0)
                os.wait()
        if kind == 3:
            os._exit(1)
        """,
    )
    stage.run(
        """
        from helpers import own, log_of
        experiment = own(make(trials=20, concurrency=4))
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        folder = log_of(experiment)
        heard = [line.split() for line in (folder / "results").read_text().splitlines()]
        assert sorted(int(number) for number, _ in heard) == [n for n in range(20) if n % 5 != 4]
        assert all(float(number) == float(value) for number, value in heard), heard
        ends = [line.split() for line in (folder / "ends").read_text().splitlines()]
        assert sorted((int(number), success) for number, success in ends) == [
            (number, str(number % 5 != 3)) for number in range(20)
        ]
        jobs = experiment.list_trial_jobs()
        for job in jobs:
            x = job.hyperParameters[0].parameters["x"]
            assert [metric.data for metric in job.finalMetricData] == ([] if x % 5 == 4 else [x]), job
        exported = {result.parameter["x"]: result.value for result in experiment.export_data()}
        assert exported == {x: x for x in range(20) if x % 5 != 4}
        assert experiment.best_trial().hyperParameters[0].parameters["x"] == 17
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_results_for_trials_that_the_tuner_never_made(stage):
    """Row 18: results of ended and of unknown trials are stored or refused; the tuner hears none of them."""
    stage.write("trial.py", "import nni\nnni.report_final_result(nni.get_next_parameter()['x'])\n")
    stage.run(
        """
        from helpers import own, log_of
        from nni_client.discovery import find_manager
        import json, urllib.error, urllib.request

        def report(trial, number):
            body = {
                "trial": f"experiments/{experiment.id}/trials/{trial}", "attempt": 0,
                "reports": [{"kind": "METRIC_KIND_FINAL", "reporter": "other", "number": number,
                             "value": {"doubleValue": 99.0}, "reportTime": "2026-01-01T00:00:00Z"}],
            }
            token = find_manager(experiment.port, None, None).address.token
            request = urllib.request.Request(
                f"http://127.0.0.1:{experiment.port}/nni_proto.v1.TrialRuntimeService/ReportMetrics",
                json.dumps(body).encode(),
                {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
            )
            try:
                return urllib.request.urlopen(request).status
            except urllib.error.HTTPError as error:
                return error.code

        experiment = own(make(trials=3, concurrency=1))
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        jobs = experiment.list_trial_jobs()
        first = jobs[0].trialJobId
        assert report(first, 0) == 200 and report(first, 0) == 200
        assert report("zzzzz", 0) == 404
        experiment.update_max_trial_number(6)
        while len(experiment.list_trial_jobs()) < 6 or experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        values = [metric.data for metric in experiment.get_job_metrics(first)[first]]
        assert values == [0, 99.0]
        assert [job.finalMetricData[0].data for job in experiment.list_trial_jobs()] == list(range(6))
        assert len((log_of(experiment) / "results").read_text().splitlines()) == 6
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_a_slow_tuner_is_not_a_dead_one(stage):
    """Row 19: whether it computes for long or was stopped for a while, everything waits and goes on."""
    stage.write("trial.py", "import nni\nnni.report_final_result(nni.get_next_parameter()['x'])\n")
    stage.run(
        """
        from helpers import own, log_of
        experiment = own(make(trials=4, concurrency=2), seconds=0.5)
        experiment.start(0)
        pid = int((log_of(experiment) / "pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        time.sleep(3)
        assert experiment.get_status() == "RUNNING"
        before = len(experiment.list_trial_jobs())
        assert before < 4
        os.kill(pid, signal.SIGCONT)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        assert [job.status for job in experiment.list_trial_jobs()] == ["SUCCEEDED"] * 4
        """
    )
    assert stage.is_quiet(), stage.processes()


@pytest.mark.slow
def test_a_tuner_that_takes_more_than_a_minute(stage):
    """Row 19: 70 seconds in one call, and a stop of 65 seconds in it, change nothing.

    Nothing of ours limits how long a tuner may take; a minute is what libraries beneath may take for a limit.
    """
    stage.write("trial.py", "import nni\nnni.report_final_result(nni.get_next_parameter()['x'])\n")
    stage.run(
        """
        from helpers import own, log_of
        experiment = own(make(trials=1, concurrency=1), seconds=70)
        experiment.start(0)
        time.sleep(2)
        pid = int((log_of(experiment) / "pid").read_text())
        os.kill(pid, signal.SIGSTOP)
        time.sleep(65)
        assert experiment.get_status() == "RUNNING"
        os.kill(pid, signal.SIGCONT)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        assert [job.status for job in experiment.list_trial_jobs()] == ["SUCCEEDED"]
        """,
        timeout=200,
    )
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize(("which", "number"), [("SIGKILL", 9), ("SIGSEGV", 11), ("SIGTERM", 15)])
def test_a_dead_tuner(stage, which, number):
    """Row 19: it is restarted and hears what happened; running trials go on, none is run twice."""
    stage.write(
        "trial.py",
        """
        import os, time, nni
        x = nni.get_next_parameter()["x"]
        with open("runs", "a") as file:
            print(x, file=file)
        while not os.path.exists("go"):
            time.sleep(0.02)
        nni.report_final_result(x)
        """,
    )
    output = stage.run(
        f"""
        from helpers import own, log_of
        experiment = own(make(trials=6, concurrency=2))
        folder = Path(__file__).parent

        def kill():
            runs = folder / "runs"
            while not runs.exists() or len(runs.read_text().split()) < 2:
                time.sleep(0.02)
            pid = Path.home() / "nni-experiments" / experiment.id / "log" / "pid"
            before = pid.read_text()
            os.kill(int(before), signal.{which})
            while pid.read_text() in (before, ""):
                time.sleep(0.02)
            (folder / "go").touch()

        threading.Thread(target=kill).start()
        print("RESULT", experiment.run(0))
        print("STATUS", experiment.get_status())
        assert [job.status for job in experiment.list_trial_jobs()] == ["SUCCEEDED"] * 6
        assert sorted((folder / "runs").read_text().split()) == list("012345")
        results = [line.split()[0] for line in (log_of(experiment) / "results").read_text().splitlines()]
        assert sorted(set(results)) == list("012345"), results
        """
    )
    assert "RESULT True" in output and "STATUS DONE" in output
    assert f"the tuner died (signal {number}) and was restarted; its history was replayed" in output
    assert "Traceback" not in output
    assert stage.is_quiet(), stage.processes()


def test_a_tuner_that_dies_again_and_again(stage):
    """Row 19: after three deaths in a row the experiment ends as ERROR with the reason; it never waits."""
    stage.write(
        "trial.py",
        """
        import time, nni
        x = nni.get_next_parameter()["x"]
        if x != 1:
            time.sleep(1000)
        nni.report_final_result(x)
        """,
    )
    output = stage.run(
        """
        from helpers import own, log_of
        experiment = own(make(trials=4, concurrency=2), dies_of=1)
        print("RESULT", experiment.run(0))
        print("STATUS", experiment.get_status())
        ended = {job.hyperParameters[0].parameters["x"]: job for job in experiment.list_trial_jobs()}
        assert ended[0].status == "SYS_CANCELED" and "tuner failed" in ended[0].message, ended
        assert ended[1].status == "SUCCEEDED", ended
        """
    )
    assert "RESULT False" in output and "STATUS ERROR" in output
    assert "it died 3 times in a row, the last time: its process was ended by signal 9 (SIGKILL)" in output
    assert "Traceback" not in output
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize(
    ("method", "call"), [("receive_trial_result", 1), ("generate_parameters", 3), ("trial_end", 5)]
)
def test_a_tuner_that_raises(stage, method, call):
    """Row 22: ERROR, with the traceback in the terminal, in the log and in nnictl status."""
    stage.write("trial.py", "import nni\nnni.report_final_result(nni.get_next_parameter()['x'])\n")
    process = stage.start(
        f"""
        from helpers import own, log_of
        experiment = own(make(trials=10, concurrency=2), fail_in={method!r}, fail_at={call})
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        print("STATUS", experiment.get_status(), flush=True)
        while not Path("go").exists():
            time.sleep(0.05)
        jobs = experiment.list_trial_jobs()
        assert all(job.status in ("SUCCEEDED", "SYS_CANCELED") for job in jobs), jobs
        assert f"fault in {method}" in (log_of(experiment) / "dispatcher.log").read_text()
        experiment.stop()
        print("THEN", experiment.get_status())

        experiment = own(make(trials=10, concurrency=2), fail_in={method!r}, fail_at={call})
        print("RESULT", experiment.run(0), experiment.get_status())
        """
    )
    for line in process.stdout:
        if line.startswith("STATUS"):
            break
    assert line == "STATUS ERROR\n"
    told = stage.nnictl("status").stdout
    (stage.home / "go").touch()
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 0, output
    assert "THEN ERROR" in output
    assert "RESULT False ERROR" in output
    for text in (told, output):
        assert f"ZeroDivisionError: fault in {method}" in text, text
        assert f"in {method}" in text and "own.py" in text, text
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize("limit", [6, None], ids=["own", "grid"])
def test_a_tuner_with_fewer_trials_than_the_limit(stage, limit):
    """Rows 27 and 33: 6 points, 10 allowed, 4 at once: 6 trials, then DONE and run() returns."""
    stage.write("trial.py", "import nni\nnni.report_final_result(len(str(nni.get_next_parameter())))\n")
    output = stage.run(
        f"""
        from helpers import own
        for number in (10, None):
            experiment = make(trials=number, concurrency=4)
            if {limit}:
                own(experiment, limit={limit})
            else:
                experiment.config.tuner.name = "GridSearch"
                experiment.config.search_space = {{
                    "a": {{"_type": "choice", "_value": [1, 2]}},
                    "b": {{"_type": "choice", "_value": [1, 2, 3]}},
                }}
            assert experiment.run(0)
            trials = [job.hyperParameters[0].parameters for job in experiment.list_trial_jobs()]
            assert len(trials) == len({{str(each) for each in trials}}) == 6
            assert experiment.get_status() == "DONE"
        """
    )
    assert output.count("ended       DONE: the tuner has no more trials") == 2, output
    assert stage.is_quiet(), stage.processes()


def test_a_tuner_that_hands_in_from_a_thread_of_its_own(stage):
    """Behaviour C6: nothing runs and nothing is returned, and st_callback is called at a later time."""
    stage.write(
        "later.py",
        """
        import threading, time
        from nni.tuner import Tuner

        class Later(Tuner):
            def update_search_space(self, search_space):
                self.asked = []
                threading.Thread(target=self.work, daemon=True).start()

            def generate_multiple_parameters(self, parameter_id_list, **kwargs):
                self.send = kwargs["st_callback"]
                self.asked.extend(parameter_id_list)
                return []

            def work(self):
                while True:
                    time.sleep(1)
                    while self.asked:
                        self.send(self.asked[0], {"x": self.asked.pop(0)})

            def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
                assert parameters["x"] == parameter_id == value
        """,
    )
    output = stage.run(
        """
        from later import Later
        experiment = make(trials=4, concurrency=2)
        experiment.config.tuner = Later()
        assert experiment.run(0)
        jobs = experiment.list_trial_jobs()
        print("TRIALS", sorted(job.hyperParameters[0].parameters["x"] for job in jobs))
        """
    )
    assert "TRIALS [0, 1, 2, 3]" in output, output
    assert stage.is_quiet(), stage.processes()
