"""What becomes of trials that end in other ways than they should, and of the experiments they belong to."""

from __future__ import annotations

import json
import os
import signal

import pytest

SLOW = "import time, nni\nnni.get_next_parameter()\nnni.report_intermediate_result(1)\ntime.sleep(100)\n"


def test_a_trial_that_is_killed_frees_its_place(stage):
    stage.write("slow.py", SLOW)
    process = stage.start(
        """
        experiment = make("exec python3 slow.py", trials=2, concurrency=1)
        experiment.start(0)
        def first():
            return (experiment.list_trial_jobs() or [None])[0]
        while first() is None or first().status in ("WAITING", "RUNNING"):
            time.sleep(0.1)
        print(first().status, "|", first().message, "|", first().stderrPath, flush=True)
        while len(experiment.list_trial_jobs()) < 2:
            time.sleep(0.1)
        print("NEXT STARTED", flush=True)
        experiment.stop()
        """
    )
    trial = []

    def found():
        trial[:] = [pid for pid, command in stage.processes().items() if command == "python3 slow.py"]
        return trial

    assert stage.until(found)
    os.kill(trial[0], signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    status, message, stderr = output.splitlines()[2].split(" | ")
    assert status == "FAILED"
    assert "9" in message or "SIGKILL" in message
    assert stderr.endswith("/stderr")
    assert "NEXT STARTED" in output
    assert stage.is_quiet(), stage.processes()


def test_one_truth_in_all_views(stage):
    """The first trial reports and then fails, the second reports nothing, the third does it right."""
    stage.write(
        "trial.py",
        """\
        import nni, os
        nni.get_next_parameter()
        number = int(os.environ["NNI_TRIAL_SEQ_ID"])
        if number != 1:
            nni.report_final_result(number + 1)
        raise SystemExit(number == 0)
        """,
    )
    output = stage.run(
        """
        import json
        experiment = make(trials=3, concurrency=1)
        experiment.start(0, run_mode=RunMode.Detach)
        while experiment.get_status() != "DONE":
            time.sleep(0.1)
        jobs = experiment.list_trial_jobs()
        assert [job.status for job in jobs] == ["FAILED", "SUCCEEDED", "SUCCEEDED"]
        assert [[m.data for m in job.finalMetricData] for job in jobs] == [[1], [], [3]]
        assert [r.value for r in experiment.export_data()] == [1, 3]
        assert experiment.best_trial() == jobs[2]
        statistics = {s["trialJobStatus"]: s["trialJobNumber"] for s in experiment.get_job_statistics()}
        print("FACTS", json.dumps([statistics, experiment.get_status(), jobs[2].trialJobId]))
        """
    )
    statistics, status, best = json.loads(output.partition("FACTS ")[2])
    assert statistics == {"SUCCEEDED": 2, "FAILED": 1}
    seen = json.loads(stage.nnictl("status", "--json").stdout)
    assert (seen["trials"], seen["status"], seen["best"]["id"]) == (statistics, status, best)
    assert seen["best"]["objective"] == 3
    stage.nnictl("stop")
    assert stage.is_quiet(), stage.processes()


def test_the_best_of_a_tuner_without_a_mode(stage):
    """Which result is best is a fact of the experiment."""
    output = stage.run(
        """
        experiment = make(trials=4)
        experiment.config.tuner.class_args = None
        experiment.config.optimize_mode = "minimize"
        assert experiment.run(0) is True
        found = [trial.finalMetricData[0].data for trial in experiment.list_trial_jobs()]
        assert experiment.best_trial().finalMetricData[0].data == min(found) < max(found)
        print("BEST", min(found))
        """
    )
    assert "the lowest final result is best" in output
    shown = output.partition("objective   ")[2].split(",")[0]
    assert abs(float(shown) - float(output.partition("BEST ")[2])) < 1e-5


def test_when_the_first_trials_all_fail_it_is_given_up(stage):
    output = stage.run("print('RESULT', make('echo no >&2; exit 4', trials=50).run(0))")
    assert "RESULT False" in output
    assert "ended       ERROR" in output
    assert "the first one: exit code 4" in output
    assert "        no" in output
    assert "50/50" not in output
    assert stage.is_quiet(), stage.processes()


def test_results_after_a_run(stage):
    """Field reports: "Experiment is not running" for what has been found."""
    output = stage.run(
        """
        experiment = make(trials=2)
        experiment.run(0)
        experiment.stop()
        counts = len(experiment.export_data()), len(experiment.list_trial_jobs())
        print("COUNTS", *counts, experiment.get_status())
        """
    )
    assert "COUNTS 2 2 DONE" in output


def test_a_relative_folder_of_a_file_is_relative_to_the_file(stage, id_in):
    config = stage.write(
        "config.yml",
        """\
        searchSpace: {x: {_type: uniform, _value: [0, 1]}}
        trialCommand: python3 trial.py
        trialCodeDirectory: .
        experimentWorkingDirectory: ./missing/logs
        trialConcurrency: 1
        maxTrialNumber: 1
        tuner: {name: Random}
        trainingService: {platform: local}
        """,
    )
    output = stage.nnictl("create", "-c", str(config), "-p", "0", "-f").stdout
    directory = stage.folder / "missing" / "logs"
    assert (directory / id_in(output) / "db").is_dir()
    assert f"nnictl view {id_in(output)} --experiments-dir {directory}" in output
    assert "1 succeeded" in output


@pytest.mark.parametrize("mode", ["Background", "Foreground", "Detach"])
def test_where_the_managers_output_goes(stage, id_in, mode):
    output = stage.run(f"make(trials=1).start(0, run_mode=RunMode.{mode})\ntime.sleep(0.1)")
    logs = {path.name for path in (stage.experiments / id_in(output) / "log").iterdir()}
    assert {"experiment.log", "nnimanager.log"} <= logs
    assert ("nnictl_stderr.log" in logs) is (mode != "Foreground")
    if mode == "Detach":
        stage.nnictl("stop")
    assert stage.is_quiet(), stage.processes()
