"""Reuse mode, as a user has it: looping scripts, scripts that ask once, and how their processes end."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "reuse_mode"

LOOP = """\
import os, sys, time
import nni
while True:
    parameters = nni.get_next_parameter()
    if parameters is None:
        break
    print(os.getpid(), nni.get_trial_id(), nni.get_sequence_id())
    nni.report_intermediate_result(parameters["x"] / 2)
    nni.report_final_result(parameters["x"])
print("left")
time.sleep(float(os.environ.get("LINGER", "0")))
"""

PIDS = """
def pids(experiment):
    return {
        int(Path(trial.logPath, "stdout").read_text().split()[0]) for trial in experiment.list_trial_jobs()
    }
"""


def test_a_looping_script_runs_all_trials_in_two_processes(stage):
    stage.write("loop.py", LOOP)
    output = stage.run(
        PIDS
        + """
experiment = make("python3 loop.py", trials=50)
experiment.config.training_service.reuse_mode = True
print("RESULT", experiment.run(0))
trials = experiment.list_trial_jobs()
metrics = experiment.get_job_metrics()
assert [trial.sequenceId for trial in trials] == list(range(50))
for trial in trials:
    x = trial.hyperParameters[0].parameters["x"]
    assert (trial.status, trial.finalMetricData[0].data) == ("SUCCEEDED", x)
    values = [(each.type, each.data) for each in metrics[trial.trialJobId]]
    assert values == [("PERIODICAL", x / 2), ("FINAL", x)], values
    line = Path(trial.logPath, "stdout").read_text().splitlines()[0]
    assert line.split()[1:] == [trial.trialJobId, str(trial.sequenceId)]
    assert trial.startTime <= trial.endTime
assert len(pids(experiment)) == 2
"""
    )
    assert "RESULT True" in output
    assert "50: 50 succeeded" in output
    assert stage.is_quiet(), stage.processes()


def test_a_script_that_asks_once_has_a_process_for_every_trial(stage):
    stage.write("once.py", LOOP.replace("while True", "for _ in range(1)"))
    output = stage.run(
        PIDS
        + """
experiment = make("python3 once.py", trials=4)
experiment.config.training_service.reuse_mode = True
print("RESULT", experiment.run(0))
assert len(pids(experiment)) == 4
"""
    )
    assert "RESULT True" in output
    assert stage.is_quiet(), stage.processes()


def test_without_reuse_mode_a_looping_script_runs_one_trial_a_process(stage):
    stage.write("loop.py", LOOP)
    output = stage.run(
        PIDS
        + """
experiment = make("python3 loop.py", trials=4)
print("RESULT", experiment.run(0))
assert len(pids(experiment)) == 4
"""
    )
    assert "RESULT True" in output


def test_a_raised_limit_goes_on_and_stop_leaves_nothing(stage):
    stage.write("loop.py", LOOP)
    stage.run(
        PIDS
        + """
experiment = make("LINGER=1000 python3 loop.py", trials=10)
experiment.config.training_service.reuse_mode = True
experiment.start(0)
while experiment.get_status() != "DONE":
    time.sleep(0.05)
first = pids(experiment)
assert len(first) == 2 and all(os.path.exists(f"/proc/{pid}") for pid in first)
experiment.update_max_trial_number(20)
while len(experiment.list_trial_jobs()) < 20 or experiment.get_status() != "DONE":
    time.sleep(0.05)
both = pids(experiment)
assert len(both) == 4 and first < both
experiment.stop()
assert not any(os.path.exists(f"/proc/{pid}") for pid in both)
"""
    )
    assert stage.is_quiet(), stage.processes()


def test_a_killed_trial_costs_its_process_and_no_other_trial(stage):
    stage.write("loop.py", LOOP.replace("    nni.report_final", "    time.sleep(0.3)\n    nni.report_final"))
    stage.run(
        """
        experiment = make("python3 loop.py", trials=8)
        experiment.config.training_service.reuse_mode = True
        experiment.start(0)
        while not (running := [t for t in experiment.list_trial_jobs()[4:] if t.status == "RUNNING"]):
            time.sleep(0.02)
        experiment.kill_trial_job(running[0].trialJobId)
        while experiment.get_status() != "DONE":
            time.sleep(0.05)
        statuses = {trial.trialJobId: trial.status for trial in experiment.list_trial_jobs()}
        assert statuses.pop(running[0].trialJobId) == "USER_CANCELED"
        assert set(statuses.values()) == {"SUCCEEDED"} and len(statuses) == 7
        experiment.stop()
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_the_experiment_goes_on_when_the_courier_is_killed(stage):
    stage.write("loop.py", LOOP.replace("    nni.report_final", "    time.sleep(0.02)\n    nni.report_final"))
    script = stage.start(
        PIDS
        + """
experiment = make("python3 loop.py", trials=200)
experiment.config.training_service.reuse_mode = True
print("RESULT", experiment.run(0))
assert {trial.status for trial in experiment.list_trial_jobs()} == {"SUCCEEDED"}
assert len(experiment.list_trial_jobs()) == len(experiment.export_data()) == 200
assert len(pids(experiment)) == 2
"""
    )

    def courier():
        found = {pid for pid, command in stage.processes().items() if "nni.courier" in command}
        return {pid for pid in found if Path(f"/proc/{pid}/comm").read_text() != "nni-runner\n"}

    def finished():
        return len(list(stage.experiments.glob("*/trials/*/.nni/0/done.json")))

    killed = set()
    for count in (20, 80, 140):
        assert stage.until(lambda count=count: finished() >= count and courier() - killed)
        for pid in courier() - killed:
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
    output, _ = script.communicate(timeout=100)
    assert script.returncode == 0, output
    assert "RESULT True" in output
    assert stage.is_quiet(), stage.processes()


def test_the_example(stage):
    shutil.copytree(EXAMPLE, stage.folder / "example")
    output = stage.run(
        "import runpy\n"
        "sys.argv = ['search.py', '0']\n"
        f"path = {str(stage.folder / 'example' / 'search.py')!r}\n"
        "runpy.run_path(path)\n"
    )
    assert "1000: 1000 succeeded" in output
    assert stage.is_quiet(), stage.processes()


HIDDEN = {
    "the socket": ("unshare -m bash -c 'mount -t tmpfs none {runtime} && python3 loop.py'", 1),
    "the port as well": ("unshare -mn bash -c 'mount -t tmpfs none {runtime} && python3 loop.py'", 4),
    "the trials": (
        "unshare -m bash -c 'mount -t tmpfs none {runtime} && mount -t tmpfs none {home}/nni-experiments && "
        "python3 loop.py'",
        4,
    ),
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a mount namespace")
@pytest.mark.parametrize("what", HIDDEN)
def test_a_process_in_a_container_loops_by_the_loopback_port(stage, what):
    """Rule E8: where the socket cannot be seen there is a port; without that, each trial has a process."""
    command, count = HIDDEN[what]
    stage.write("loop.py", LOOP)
    runtime = stage.environment["NNI_RUNTIME_DIR"]
    command = command.format(runtime=runtime, home=stage.home, code=stage.folder)
    output = stage.run(
        PIDS
        + f"""
experiment = make({command!r}, trials=4, concurrency=1)
experiment.config.training_service.reuse_mode = True
print("RESULT", experiment.run(0))
trials = experiment.list_trial_jobs()
assert [trial.status for trial in trials] == ["SUCCEEDED"] * 4, [trial.message for trial in trials]
for trial in trials:
    assert trial.finalMetricData[0].data == trial.hyperParameters[0].parameters["x"]
assert len(pids(experiment)) == {count}, pids(experiment)
for path in Path(trials[0].logPath).parent.glob("*/std*"):
    assert "NNI_COURIER_TOKEN" not in path.read_text()
"""
    )
    assert "RESULT True" in output
    assert stage.is_quiet(), stage.processes()
