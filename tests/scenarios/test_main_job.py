"""The main job: a script tunes something, and everything it was promised is there afterwards."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_script_runs_to_its_end(stage, id_in):
    output = stage.run("print('RESULT', make().run(0))")
    experiment_id = id_in(output)
    lines = output.splitlines()
    assert lines[0] == f"Experiment ID: {experiment_id}"
    assert re.fullmatch(r"Web portal URLs: http://127\.0\.0\.1:\d+/\S*code=\S+", lines[1])
    assert "RESULT True" in lines
    assert "4/4 done, 0 running, 0 failed, best" in output
    summary = output[output.index(f"Experiment {experiment_id}\n") :]
    assert "ended       DONE" in summary
    assert "trials      4: 4 succeeded" in summary
    assert re.search(r"best trial  \w{5} \(number \d\)", summary)
    assert re.search(r"parameters  x=0\.\d+", summary)
    assert f"files       {stage.experiments / experiment_id}" in summary
    assert f"view again  nnictl view {experiment_id}" in summary
    assert "\x1b" not in output
    assert stage.is_quiet(), stage.processes()


def test_all_that_can_be_asked(stage):
    stage.write("slow.py", "import time, nni\nnni.get_next_parameter()\ntime.sleep(100)\n")
    output = stage.run(
        """
        import json
        experiment = make(trials=3, concurrency=1)
        experiment.config.experiment_name = "story"
        experiment.start(0)
        assert experiment.get_status() in ("RUNNING", "NO_MORE_TRIAL", "DONE")
        while experiment.get_status() != "DONE":
            time.sleep(0.1)

        def all_answers():
            trials = experiment.list_trial_jobs()
            return (
                trials,
                [experiment.get_trial_job(trial.trialJobId) for trial in trials],
                experiment.get_job_statistics(),
                experiment.get_job_metrics(),
                experiment.get_job_metrics(trials[0].trialJobId),
                experiment.export_data(),
                experiment.best_trial(),
                {**experiment.get_experiment_profile(), "revision": 0, "execDuration": 0},
                experiment.get_status(),
            )

        running = all_answers()
        trials, one_by_one, statistics, metrics, first, exported, best, profile, _ = running
        assert [trial.sequenceId for trial in trials] == [0, 1, 2]
        assert trials == one_by_one
        assert statistics == [{"trialJobStatus": "SUCCEEDED", "trialJobNumber": 3}]
        assert set(metrics) == {trial.trialJobId for trial in trials}
        for trial in trials:
            x = trial.hyperParameters[0].parameters["x"]
            values = metrics[trial.trialJobId]
            assert [(v.type, v.sequence, v.data) for v in values] == [
                ("PERIODICAL", 0, 0.0), ("PERIODICAL", 1, x), ("PERIODICAL", 2, 2 * x), ("FINAL", 0, x)
            ]
            assert [v.data for v in trial.finalMetricData] == [x]
            assert {v.parameterId for v in values} == {str(trial.hyperParameters[0].parameter_id)}
            assert trial.startTime <= values[0].timestamp <= trial.endTime
            assert Path(trial.logPath, "stdout").exists()
        assert first == {trials[0].trialJobId: metrics[trials[0].trialJobId]}
        assert [(r.trialJobId, r.parameter, r.value) for r in exported] == [
            (t.trialJobId, t.hyperParameters[0].parameters, t.finalMetricData[0].data) for t in trials
        ]
        assert best == max(trials, key=lambda trial: trial.finalMetricData[0].data)
        assert profile["params"]["experimentName"] == "story"
        assert profile["nextSequenceId"] == 3

        experiment.update_trial_concurrency(2)
        experiment.update_max_experiment_duration("1h")
        experiment.update_search_space({"x": {"_type": "uniform", "_value": [5, 6]}})
        experiment.update_max_trial_number(5)
        while len(experiment.list_trial_jobs()) < 5 or experiment.get_status() != "DONE":
            time.sleep(0.1)
        assert all(5 <= t.hyperParameters[0].parameters["x"] <= 6 for t in experiment.list_trial_jobs()[3:])
        params = experiment.get_experiment_profile()["params"]
        assert (params["trialConcurrency"], params["maxTrialNumber"]) == (2, 5)
        assert params["maxExperimentDuration"] == "1h"
        while not experiment.get_experiment_profile()["origin"]["codeHash"]:
            time.sleep(0.1)

        running = all_answers()
        experiment.stop()
        stopped = all_answers()
        for before, after in zip(running, stopped):
            assert before == after, (before, after)
        print("STATUS", stopped[-1])
        """
    )
    assert "STATUS DONE" in output
    assert stage.is_quiet(), stage.processes()


def test_killing_trials(stage):
    stage.write("slow.py", "import time, nni\nnni.get_next_parameter()\ntime.sleep(100)\n")
    stage.run(
        """
        from nni_client.errors import NotFoundError
        experiment = make("python3 slow.py", trials=2, concurrency=2)
        experiment.start(0)
        while [t.status for t in experiment.list_trial_jobs()] != ["RUNNING", "RUNNING"]:
            time.sleep(0.1)
        first, second = (trial.trialJobId for trial in experiment.list_trial_jobs())
        experiment.kill_trial_job(first)
        experiment.kill_trial_job(first)
        while experiment.get_trial_job(first).status != "USER_CANCELED":
            time.sleep(0.1)
        for missing in ("zzzzz", first + "x"):
            try:
                experiment.kill_trial_job(missing)
            except NotFoundError as error:
                assert missing in str(error)
            else:
                raise AssertionError
        assert experiment.get_trial_job(second).status == "RUNNING"
        begin = time.time()
        experiment.stop()
        jobs = experiment.list_trial_jobs()
        assert [job.status for job in jobs] == ["USER_CANCELED", "USER_CANCELED"]
        assert all(job.endTime > 0 for job in jobs)
        assert experiment.get_status() == "STOPPED"
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_the_first_failure_is_shown_at_once(stage):
    stage.write(
        "bad.py",
        "import sys, nni\nx = nni.get_next_parameter()\nnni.report_final_result(1)\nraise OSError(7)\n",
    )
    output = stage.run("print('RESULT', make('python3 bad.py').run(0))")
    assert output.count("the first one: exit code 1") == 1
    assert "command: python3 bad.py" in output
    assert "        OSError: 7" in output
    assert output.index("OSError: 7") < output.index("4/4 done")
    assert "4: 4 failed" in output
    assert "RESULT False" in output


def test_a_terminal_shows_one_view_in_its_place(stage):
    stage.write(
        "patient.py",
        "import os, time, nni\n"
        "nni.get_next_parameter()\n"
        "while not os.path.exists('seen'):\n"
        "    time.sleep(0.05)\n"
        "nni.report_final_result(1)\n",
    )
    master, terminal = pty.openpty()
    process = stage.start("make('python3 patient.py').run(0)", stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
        if b"2 running" in shown:
            stage.write("seen", "")
    os.close(master)
    assert process.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert b"\x1b[2K" in shown, "lines are drawn anew"
    assert re.search(r"RUNNING.*\d/4 done", text)
    assert "view again" in text
    assert not re.search(r"^\[\d{4}-", text, re.MULTILINE), "no plain lines"


def test_the_digits_example(stage):
    """The script of the README, with fewer trials."""
    for path in (EXAMPLES / "digits").iterdir():
        shutil.copy(path, stage.folder)
    search = stage.folder / "search.py"
    source = search.read_text()
    assert "max_trial_number = 20\n" in source
    search.write_text(source.replace("max_trial_number = 20\n", "max_trial_number = 3\n"))
    done = subprocess.run(
        [sys.executable, str(search), "0"],
        env=stage.environment,
        cwd=stage.home,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    assert "3/3 done" in done.stdout
    objective = re.search(r"objective   (0\.\d+|1), the highest final result is best", done.stdout)
    assert objective is not None and float(objective[1]) > 0.05
    assert stage.is_quiet(), stage.processes()


def test_the_resume_example_goes_on_each_time(stage):
    folder = stage.folder / "resume"
    shutil.copytree(EXAMPLES / "resume", folder)
    for number in range(2):
        done = subprocess.run(
            [sys.executable, "search.py"], cwd=folder, env=stage.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert ("going on with" in done.stdout) == bool(number)
        assert re.search(r"^best: \{'x': 0\.[23]", done.stdout, re.MULTILINE)
    alone = {**stage.environment, "NNI_PARAMETERS": "best.json"}
    done = subprocess.run(
        [sys.executable, "trial.py"], cwd=folder, env=alone, capture_output=True, text=True, check=True
    )
    assert "Final result: " in done.stdout


def test_the_control_example(stage):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "control" / "control.py")],
        env=stage.environment,
        cwd=stage.home,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^\d SUCCEEDED \{'x': ", done.stdout, re.MULTILINE)) == 6
    assert "best: {'x': " in done.stdout
    assert stage.is_quiet(), stage.processes()


def test_a_gpu_setting_without_a_gpu(stage):
    output = stage.run(
        """
        experiment = make(trials=2)
        experiment.config.training_service.use_active_gpu = True
        print('RESULT', experiment.run(0))
        """
    )
    assert "RESULT True" in output


def test_nnictl_sees_what_a_script_started(stage, id_in):
    output = stage.run("make(trials=1).start(0, run_mode=RunMode.Detach)")
    experiment_id = id_in(output)
    (row,) = json.loads(stage.nnictl("list", "--json").stdout)
    assert row["id"] == experiment_id
    assert row["port"] > 0 and row["pid"] in stage.processes()
    assert experiment_id in stage.nnictl("experiment", "list").stdout
    assert stage.until(lambda: json.loads(stage.nnictl("status", "--json").stdout)["status"] == "DONE")
    status = json.loads(stage.nnictl("status", experiment_id[:4], "--json").stdout)
    assert status["trials"] == {"SUCCEEDED": 1}
    assert 0 <= status["best"]["parameters"]["x"] <= 1
    assert "1 succeeded" in stage.nnictl("status").stdout
    assert f":{row['port']}/" in stage.nnictl("webui", "url").stdout
    assert "There is no experiment running with the id zzz" in stage.nnictl("stop", "zzz", exit_code=1).stderr
    done = stage.nnictl("stop", "--port", str(row["port"]))
    assert done.stdout.splitlines() == [f"Stopping experiment {experiment_id}", "Stop experiment success."]
    assert stage.is_quiet(), stage.processes()
    assert json.loads(stage.nnictl("list", "--json").stdout) == []
    assert f"{experiment_id}: DONE" in stage.nnictl("status", experiment_id).stdout
    told = stage.nnictl("stop", experiment_id, exit_code=1).stderr
    assert f"{experiment_id} has ended; see it with: nnictl view {experiment_id}" in told
    assert "No experiment is running." in stage.nnictl("list").stdout
    for words in (["status"], ["stop"], ["webui", "url"]):
        assert "ERROR: There is no experiment running" in stage.nnictl(*words, exit_code=1).stderr
    assert "No experiment is running." in stage.nnictl("stop", "--all").stdout


@pytest.mark.skipif(sys.platform != "linux", reason="uses /proc")
def test_nothing_secret_on_command_lines(stage, id_in):
    output = stage.run("make(trials=1).start(0, run_mode=RunMode.Detach)")
    record = json.loads((stage.experiments / id_in(output) / "manager.json").read_text())
    for command in stage.processes().values():
        assert record["token"] not in command
    assert record["token"] not in output
    stage.nnictl("stop")


def test_the_protocols_example_for_curl_works_as_it_is(stage, id_in):
    text = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text()
    (example,) = re.findall(r"```\n(cd .*?)```", text, re.DOTALL)
    stage.run("make(trials=2).start(0, run_mode=RunMode.Detach)")
    assert stage.until(lambda: json.loads(stage.nnictl("status", "--json").stdout)["status"] == "DONE")
    done = subprocess.run(
        ["bash", "-euc", example], env=stage.environment, cwd="/", capture_output=True, text=True, check=True
    )
    assert len(json.loads(done.stdout)["trials"]) == 2, done.stdout
    stage.nnictl("stop")
    assert stage.is_quiet(), stage.processes()
