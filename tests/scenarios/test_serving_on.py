"""An experiment that is done but not stopped is served on, and goes on when a limit is raised."""

from __future__ import annotations

import json
import re

import pytest

pytestmark = pytest.mark.slow

CONFIG = """\
searchSpace: {x: {_type: uniform, _value: [0, 1]}}
trialCommand: python3 trial.py
trialConcurrency: 1
maxTrialNumber: 2
tuner: {name: Random}
trainingService: {platform: local}
"""


def test_what_nnictl_created(stage):
    path = stage.write("config.yml", CONFIG)
    output = stage.nnictl("create", "--config", str(path), "--port", "0").stdout
    assert re.search(r"^Experiment ID: \w+$", output, re.MULTILINE)
    assert re.search(r"^Web portal URLs: http://\S+$", output, re.MULTILINE)

    def ended():
        status = json.loads(stage.nnictl("status", "--json").stdout)
        return status["trials"] if status["status"] == "DONE" else None

    assert stage.until(lambda: ended() == {"SUCCEEDED": 2})
    stage.nnictl("update", "trialnum", "--value", "3")
    assert stage.until(lambda: ended() == {"SUCCEEDED": 3})
    stage.nnictl("stop")
    assert stage.is_quiet(), stage.processes()


def test_what_was_not_waited_for(stage):
    output = stage.run(
        """
        experiment = make(trials=1)
        experiment.run(0, wait_completion=False)
        for trials in (1, 2):
            experiment.update_max_trial_number(trials)
            done = [{"trialJobStatus": "SUCCEEDED", "trialJobNumber": trials}]
            while experiment.get_job_statistics() != done or experiment.get_status() != "DONE":
                time.sleep(0.1)
        experiment.stop()
        print("STATUS", experiment.get_status(), len(experiment.list_trial_jobs()))
        """
    )
    assert "STATUS DONE 2" in output
    assert stage.is_quiet(), stage.processes()
