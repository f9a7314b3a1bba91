"""Checkpoints of trials that an experiment need not keep are removed while it runs."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

SAVER = """\
import os
from pathlib import Path
import nni
nni.get_next_parameter()
folder = Path(nni.get_output_directory(), "checkpoints")
folder.mkdir()
(folder / "model").write_bytes(bytes(1000))
Path(nni.get_output_directory(), "log").touch()
nni.report_final_result(nni.get_sequence_id() % 7)
"""

SETUP = """
experiment = make("python3 saver.py", trials=12, concurrency=3, id="mine")
experiment.config.keep_best_checkpoints = {best}
experiment.config.keep_last_checkpoints = {last}
print("RESULT", experiment.run(0))
for trial in experiment.list_trial_jobs():
    print("TRIAL", trial.sequenceId, trial.trialJobId, trial.endTime)
"""


@pytest.mark.parametrize(("best", "last"), [(2, None), (1, 1), (None, None)])
def test_the_best_and_the_last_are_left(stage, best, last):
    stage.write("saver.py", SAVER)
    output = stage.run(SETUP.format(best=best, last=last))
    assert "RESULT True" in output
    trials = stage.experiments / "mine" / "trials"
    numbers = {
        words[2]: (int(words[1]), float(words[3]))
        for words in map(str.split, output.splitlines())
        if words[:1] == ["TRIAL"]
    }
    left = {path.parent.name for path in trials.glob("*/checkpoints")}
    assert len(numbers) == 12 and len(list(trials.glob("*/log"))) == 12
    if best is None:
        assert left == set(numbers)
        return
    ranked = sorted(numbers, key=lambda name: (-(numbers[name][0] % 7), numbers[name][0]))
    assert set(ranked[:best]) <= left
    assert len(left) == best + (last or 0)
