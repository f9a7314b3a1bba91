"""Field reports on programs that are not there."""

from __future__ import annotations

import json
import re
import sys

CONFIG = """
searchSpace:
  x: {_type: uniform, _value: [0, 1]}
trialCommand: %s trial.py
trialConcurrency: 2
maxTrialNumber: 3
tuner:
  name: Random
trainingService:
  platform: local
"""


def test_no_program_on_the_path_is_needed(stage):
    """Row 192: starting, showing, stopping and deleting need no shell and no other program of the PATH."""
    nothing = stage.home / "nothing"
    nothing.mkdir()
    stage.environment["PATH"] = str(nothing)
    config = stage.write("config.yml", CONFIG % sys.executable)
    output = stage.nnictl("create", "--config", str(config), "--port", "0").stdout
    experiment_id = re.search(r"Experiment ID: (\w+)", output)[1]
    assert stage.nnictl("experiment", "status", experiment_id).stdout
    stage.nnictl("wait", experiment_id)
    assert json.loads(stage.nnictl("trial", "ls", experiment_id).stdout)
    stage.nnictl("stop", experiment_id)
    assert stage.nnictl("doctor").stdout
    assert stage.is_quiet(), stage.processes()
