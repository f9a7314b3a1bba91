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
