"""An advisor as people write them for NNI 3.0 runs a search, and survives its own death and a resume."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "custom_advisor"

RUN = """
from nni.experiment import ExperimentConfig
experiment = Experiment(ExperimentConfig.load({path!r}), id="mine")
print("worked:", experiment.run(0))
"""
RESUME = """
experiment = Experiment(None, id="mine")
print("worked:", experiment.resume(0))
"""
FACTS = """
import json
experiment = Experiment.view("mine", 0, non_blocking=True)
print("FACTS", json.dumps([
    [trial.status, trial.hyperParameters[0].parameters["x"], len(trial.finalMetricData or [])]
    for trial in experiment.list_trial_jobs()
]))
experiment.stop()
"""


@pytest.fixture
def stage(stage):
    """A stage with the example."""
    for source in EXAMPLE.iterdir():
        if source.is_file():
            shutil.copy(source, stage.folder)
    return stage


def advisor_process(stage) -> int | None:
    """Returns the process of the advisor."""
    return next(
        (pid for pid, line in stage.processes().items() if "nni_manager.tuning.process" in line), None
    )


def facts(stage):
    output = stage.run(FACTS)
    (line,) = [line for line in output.splitlines() if line.startswith("FACTS ")]
    return json.loads(line.removeprefix("FACTS "))


def dispatcher_log(stage) -> str:
    path = stage.experiments / "mine" / "log" / "dispatcher.log"
    return path.read_text() if path.exists() else ""


def test_it_stops_trials_survives_a_kill_and_is_done(stage):
    with stage.start(RUN.format(path=str(stage.folder / "config.yml"))) as script:
        trials = stage.experiments / "mine" / "trials"
        assert stage.until(lambda: trials.exists() and len(list(trials.iterdir())) >= 6)
        first = advisor_process(stage)
        os.kill(first, signal.SIGKILL)
        output, _ = script.communicate(timeout=100)
    assert "worked: True" in output, output
    assert "died (signal 9) and was restarted; its history was replayed" in output
    assert "Traceback" not in dispatcher_log(stage)
    told = facts(stage)
    counts = Counter(status for status, _, _ in told)
    assert len(told) == 20 and set(counts) == {"SUCCEEDED", "EARLY_STOPPED"} and min(counts.values()) >= 3
    assert len({x for _, x, _ in told}) == 20  # the second life went on behind the first
    assert all(finals == (status == "SUCCEEDED") for status, _, finals in told)


def test_it_goes_on_after_a_stop_and_a_resume(stage):
    path = stage.folder / "config.yml"
    with stage.start(RUN.format(path=str(path))) as script:
        trials = stage.experiments / "mine" / "trials"
        assert stage.until(lambda: trials.exists() and len(list(trials.iterdir())) >= 6)
        script.send_signal(signal.SIGINT)
        script.communicate(timeout=60)
    output = stage.run(RESUME)
    assert "worked: True" in output
    assert "The history was replayed" in dispatcher_log(stage)
    told = facts(stage)
    assert len(told) == 20 and len({x for _, x, _ in told}) == 20
    assert {status for status, _, _ in told} <= {"SUCCEEDED", "EARLY_STOPPED", "USER_CANCELED"}


def test_one_that_raises_ends_the_experiment_with_its_traceback(stage):
    text = (stage.folder / "advisor.py").read_text()
    broken = text.replace('loss = json.loads(data["value"])', 'loss = json.loads(data["values"])')
    (stage.folder / "advisor.py").write_text(broken)
    with stage.start(RUN.format(path=str(stage.folder / "config.yml"))) as script:
        output, _ = script.communicate(timeout=60)
    assert "worked: False" in output
    assert "MedianRandom raised KeyError: 'values'" in output and "in handle_report_metric_data" in output


def test_one_that_never_answers_is_waited_for(stage):
    stage.write(
        "silent.py",
        """
        from nni.runtime.msg_dispatcher_base import MsgDispatcherBase
        from nni.runtime.tuner_command_channel import CommandType

        class Silent(MsgDispatcherBase):
            def handle_initialize(self, data):
                self.send(CommandType.Initialized, "")
            def handle_request_trial_jobs(self, data):
                pass
        """,
    )
    path = stage.folder / "config.yml"
    path.write_text(
        path.read_text().replace("advisor.MedianRandom", "silent.Silent").replace("seed: 1", "{}")
    )
    path.write_text(path.read_text().replace("  classArgs:\n    {}\n", ""))
    with stage.start(RUN.format(path=str(path))) as script:
        said = "Silent owes 3 trials that it was asked for: the experiment waits for it to send them."
        assert stage.until(lambda: said in dispatcher_log(stage))
        assert script.poll() is None
        script.send_signal(signal.SIGINT)
        script.communicate(timeout=60)
    assert facts(stage) == []


GENERATIONS = """
import json
from nni.runtime.msg_dispatcher_base import MsgDispatcherBase
from nni.runtime.tuner_command_channel import CommandType

class Generations(MsgDispatcherBase):
    # Four trials at a time; what is asked for meanwhile is owed until the last of them has ended.
    def __init__(self, says_no_more=False):
        super().__init__()
        self.says_no_more = says_no_more
        self.credit, self.sent, self.ended, self.finals = 0, 0, 0, []

    def handle_initialize(self, data):
        self.send(CommandType.Initialized, "")

    def handle_request_trial_jobs(self, data):
        self.credit += data
        self.send_some()

    def send_some(self):
        while self.credit and self.sent < 4 * (self.ended // 4 + 1):
            self.credit -= 1
            record = {
                "parameter_id": f"{self.sent // 4}_{self.sent % 4}",
                "parameter_source": "algorithm",
                "parameters": {"x": 0.01 * self.sent, "known": sorted(self.finals)},
            }
            self.sent += 1
            self.send(CommandType.NewTrialJob, json.dumps(record))
        if self.credit and self.says_no_more:
            self.send(CommandType.NoMoreTrialJobs, "")

    def handle_report_metric_data(self, data):
        if data["type"] == "FINAL":
            self.finals.append(data["parameter_id"])

    def handle_trial_end(self, data):
        assert json.loads(data["hyper_params"])["parameter_id"] in self.finals
        self.ended += 1
        self.send_some()
"""


@pytest.mark.parametrize("says_no_more", [False, True])
def test_one_that_owes_trials_until_others_have_ended(stage, says_no_more):
    """It goes on in the same order after its death, though some of what it was asked for was open then."""
    stage.write("generations.py", GENERATIONS)
    path = stage.write(
        "generations.json",
        json.dumps(
            {
                "searchSpace": {},
                "trialCommand": "python3 trial.py",
                "trialCodeDirectory": str(stage.folder),
                "trialConcurrency": 3,
                "maxTrialNumber": 12,
                "advisor": {
                    "className": "generations.Generations",
                    "codeDirectory": str(stage.folder),
                    "classArgs": {"says_no_more": says_no_more},
                },
                "trainingService": {"platform": "local"},
            }
        ),
    )
    stage.write(
        "trial.py",
        """
        import time, nni
        x = nni.get_next_parameter()["x"]
        time.sleep(0.3 if round(x * 100) % 4 == 1 else 1.5)
        nni.report_final_result(x)
        """,
    )
    with stage.start(RUN.format(path=str(path))) as script:
        trials = stage.experiments / "mine" / "trials"
        for count in (4, 8):
            assert stage.until(lambda count=count: trials.exists() and len(list(trials.iterdir())) >= count)
            stage.until(lambda: False, 0.7)  # the short one has ended, the others run, and some are owed
            os.kill(advisor_process(stage), signal.SIGKILL)
        output, _ = script.communicate(timeout=100)
    assert "worked: True" in output, output
    assert "differed" not in dispatcher_log(stage) and dispatcher_log(stage).count("was replayed") == 2
    output = stage.run(FACTS.replace('["x"]', '["known"]'))
    (line,) = [line for line in output.splitlines() if line.startswith("FACTS ")]
    known = [len(known) for _, known, _ in json.loads(line.removeprefix("FACTS "))]
    # The fourth of a generation gets the place of the first that has ended.
    assert len(known) == 12 and known[4:7] == [4] * 3 and known[8:11] == [8] * 3


def test_an_instance_is_one(stage):
    output = stage.run(
        """
        from advisor import MedianRandom
        experiment = make(trials=6, concurrency=2)
        experiment.config.search_space = {"x": [-2, 2], "y": [-1, 3]}
        experiment.config.tuner = MedianRandom(seed=3)
        print("worked:", experiment.run(0), len(experiment.list_trial_jobs()))
        """
    )
    assert "worked: True 6" in output


def test_a_registered_one_is_chosen_by_its_name(stage):
    installed = stage.home / "installed"
    installed.mkdir()
    shutil.copy(EXAMPLE / "advisor.py", installed / "median_random.py")
    stage.environment["PYTHONPATH"] = str(installed)
    stage.environment["NNI_CONFIG_DIR"] = str(stage.home / "config")
    meta = {
        "algoType": "advisor",
        "builtinName": "MedianRandom",
        "className": "median_random.MedianRandom",
        "classArgs": {"warm_up": 2},
    }
    meta_path = stage.write("meta.yml", json.dumps(meta))
    assert "registered" in stage.nnictl("algo", "register", "--meta_path", str(meta_path)).stdout
    (row,) = [line for line in stage.nnictl("algo", "list").stdout.splitlines() if "MedianRandom" in line]
    assert "tuner" in row
    path = stage.folder / "config.yml"
    text = path.read_text().replace(
        "  className: advisor.MedianRandom\n  codeDirectory: .\n", "  name: medianrandom\n"
    )
    path.write_text(text.replace("maxTrialNumber: 20", "maxTrialNumber: 8"))
    output = stage.run(RUN.format(path=str(path)))
    assert "worked: True" in output
    assert len(facts(stage)) == 8
