"""Field reports on records: numbers over a resume, and a view of what has failed."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

MORE = """\
import os, time, nni
x = nni.get_next_parameter()["x"]
while nni.get_sequence_id() >= 5 and not os.path.exists("go"):
    time.sleep(0.05)
nni.report_final_result(x)
"""

VIEW = """
view = Experiment.view("mine", 0, non_blocking=True)
profile = view.get_experiment_profile()
print("VIEW", view.get_status(), [job.status for job in view.list_trial_jobs()], len(view.export_data()))
print("PROFILE", profile["id"], profile["params"]["trialCommand"])
view.stop()
"""


def test_numbers_over_a_stop_and_a_resume(stage):
    """Row 118: 5 trials end, the sixth is stopped, more come after a resume; no number is there twice."""
    stage.write("more.py", MORE)
    stage.run(
        """
        experiment = make("python3 more.py", trials=10, concurrency=1, id="mine")
        experiment.start(0)
        while len(experiment.list_trial_jobs()) < 6 or len(experiment.export_data()) < 5:
            time.sleep(0.05)
        experiment.stop()
        Path(__file__).with_name("go").touch()
        assert Experiment.resume("mine", 0)
        jobs = Experiment(None, id="mine").list_trial_jobs()
        assert [job.sequenceId for job in jobs] == list(range(10))
        assert len({job.trialJobId for job in jobs}) == 10
        assert [job.status for job in jobs] == ["SUCCEEDED"] * 5 + ["USER_CANCELED"] + ["SUCCEEDED"] * 4
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_a_view_of_one_that_failed(stage):
    """Row 126: with what it had, and why it failed."""
    stage.run("make('exit 4', trials=9, concurrency=1, id='mine').run(0)")
    output = stage.run(VIEW)
    assert "VIEW ERROR ['FAILED', 'FAILED', 'FAILED'] 0" in output
    assert "PROFILE mine exit 4" in output
    assert "the first 3 trials all failed" in stage.nnictl("status", "mine").stdout
    assert stage.is_quiet(), stage.processes()
