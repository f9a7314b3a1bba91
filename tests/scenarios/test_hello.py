"""What a newcomer does first: nnictl hello, then the example, as a script and from the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest


@pytest.mark.parametrize("way", ["script", "nnictl"])
def test_the_example_of_hello_runs(stage, way):
    stage.nnictl("hello")
    if way == "script":
        done = subprocess.run(
            [sys.executable, "nni_hello_hpo/main.py"],
            env=stage.environment,
            cwd=stage.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    else:
        words = ("--config", "nni_hello_hpo/config.yml", "--foreground", "--port", "0")
        done = stage.nnictl("create", *words)
    assert "20 succeeded" in done.stdout


def test_the_configuration_of_an_experiment_that_has_ended(stage):
    stage.nnictl("hello")
    done = stage.nnictl("create", "--config", "nni_hello_hpo/config.yml", "--foreground", "--port", "0")
    experiment_id = re.search(r"Experiment ID: (\w+)", done.stdout)[1]
    shown = json.loads(stage.nnictl("config", "show", experiment_id).stdout)
    assert shown["trialCodeDirectory"] == str((stage.home / "nni_hello_hpo").resolve())
    assert list(shown["searchSpace"]) == ["learning_rate", "momentum", "batch_size"]
    again = stage.home / "again.yml"
    again.write_text(json.dumps(shown))
    assert "is a valid configuration" in stage.nnictl("config", "check", str(again)).stdout
