"""Field reports on the statuses of experiments and trials, their reasons and limits."""

from __future__ import annotations

import json

import pytest

SLOW = "import time, nni\nnni.get_next_parameter()\ntime.sleep(1000)\n"


@pytest.mark.parametrize(
    ("mistake", "expected"),
    [
        (
            "tuner: {name: Random, maxTrialNumber: 5}",
            ["tuner.maxTrialNumber", "did you mean maxTrialNumber at the top level?"],
        ),
        (
            "trial_concurency: 8\ntuner: {name: Random}",
            ["trial_concurency", "did you mean trial_concurrency"],
        ),
        ("tuner: {name: Random, classArg: {}}\nmaxTrials: 3", ["tuner.classArg", "classArgs", "maxTrials"]),
    ],
)
def test_a_misplaced_key(stage, mistake, expected):
    """Row 24: it is refused before anything starts, with its line and what was probably meant."""
    config = stage.write(
        "config.yml",
        "searchSpace: {x: {_type: uniform, _value: [0, 1]}}\ntrialCommand: python3 trial.py\n"
        "trialConcurrency: 1\ntrainingService: {platform: local}\n" + mistake + "\n",
    )
    told = stage.nnictl("create", "-c", str(config), "-p", "0", exit_code=1).stderr
    assert f"{config}:5" in told and all(part in told for part in expected), told
    assert not stage.experiments.exists()


def test_keys_in_another_spelling(stage):
    """Row 24: upper and lower case and underscores do not matter."""
    config = stage.write(
        "config.yml",
        "search_space: {x: {_type: uniform, _value: [0, 1]}}\ntrial_command: python3 trial.py\n"
        "TrialConcurrency: 1\nMaxTrialNumber: 3\ntuner: {Name: random}\nTrainingService: {platform: local}\n",
    )
    assert "3/3 done" in stage.nnictl("create", "-c", str(config), "-p", "0", "-f").stdout
    assert stage.is_quiet(), stage.processes()


def test_a_report_file_that_cannot_be_read(stage):
    """Row 25: it harms its own trial at most; the others run, and the log says what was wrong."""
    stage.write(
        "trial.py",
        """
        import os, nni
        nni.get_next_parameter()
        path = os.path.join(os.environ["NNI_SYS_DIR"], "reports.jsonl")
        nni.report_intermediate_result(1)
        with open(path, "ab") as file:
            file.write([
                b"\\xff\\xfe\\x00 not text\\n",
                b'{"k":"i"',
                b'{"k":"i","r":"x","n":-1,"t":1,"v":1}\\n[]\\nnull\\n',
                b'{"k":"f","r":"x","n":"first","t":1,"v":1}\\n',
                b'{"k":"i","r":"y","n":0,"t":1,"v":' + b"[" * 5000,
                b"",
                b"\\n\\n\\n",
                b"x" * 100_000,
            ][nni.get_sequence_id()])
        if nni.get_sequence_id() == 5:
            os.unlink(path)
            os.mkdir(path)
        else:
            nni.report_final_result(2)
        """,
    )
    stage.run(
        """
        experiment = make(trials=9)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        metrics = experiment.get_job_metrics()
        jobs = experiment.list_trial_jobs()
        for job in jobs[:8]:
            assert job.status == "SUCCEEDED", (job, Path(job.logPath, "stderr").read_text())
            values = [metric.data for metric in metrics.get(job.trialJobId, [])]
            if job.sequenceId != 5:
                assert values == [1, 2], (job.sequenceId, values)
        assert jobs[8].status == "FAILED" and "IndexError" in Path(jobs[8].stderrPath).read_text()
        log = (Path(experiment.get_experiment_profile()["logDir"]) / "log" / "nnimanager.log").read_text()
        for job in (jobs[number] for number in (0, 1, 2, 3, 4, 5, 7)):
            assert job.trialJobId in log, (job.sequenceId, log)
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_some_trials_fail(stage):
    """Row 28: a failed trial is one failed trial."""
    stage.write(
        "trial.py",
        """
        import nni
        x = nni.get_next_parameter()["x"]
        if x > 0.5:
            raise SystemExit(1)
        nni.report_final_result(x)
        """,
    )
    output = stage.run(
        """
        experiment = make(trials=30, concurrency=4)
        experiment.config.stop_on_early_failures = False
        assert experiment.run(0)
        for job in experiment.list_trial_jobs():
            assert job.status == ("FAILED" if job.hyperParameters[0].parameters["x"] > 0.5 else "SUCCEEDED")
        """
    )
    assert "30/30 done" in output and "ended       DONE" in output
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize("goes_on", [False, True])
def test_every_trial_fails(stage, goes_on):
    """Rows 31 and rule T14: it is no success; unless told otherwise the first failures end it as ERROR."""
    stage.write(
        "trial.py", "import sys\nprint('line 1\\n' * 30, 'the cause', file=sys.stderr)\nsys.exit(3)\n"
    )
    output = stage.run(
        f"""
        experiment = make(trials=5, concurrency=2)
        experiment.config.stop_on_early_failures = not {goes_on}
        print("RESULT", experiment.run(0), experiment.get_status(), experiment.get_job_statistics())
        """
    )
    assert output.count("the first one: exit code 3") == 1
    assert "command: python3 trial.py" in output and output.count("        line 1\n") == 19
    assert "         the cause\n" in output
    if goes_on:
        assert "RESULT False DONE [{'trialJobStatus': 'FAILED', 'trialJobNumber': 5}]" in output
        assert "5: 5 failed" in output
    else:
        assert "RESULT False ERROR" in output
        assert "the first 3 trials all failed without a report, the last one with: exit code 3" in output
    assert stage.is_quiet(), stage.processes()


def test_the_time_limit_of_a_trial(stage):
    """Row 36: the trial and all its children go, whatever they ignore; it says why; the next one starts."""
    stage.write(
        "trial.py",
        """
        import signal, subprocess, time, nni
        nni.get_next_parameter()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        subprocess.Popen(["setsid", "sleep", "1000"])
        nni.report_intermediate_result(1)
        time.sleep(1000)
        """,
    )
    stage.run(
        """
        experiment = make(trials=2, concurrency=1)
        experiment.config.max_trial_duration = "1s"
        experiment.config.trial_stop_grace_period = "0.3s"
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        first, second = experiment.list_trial_jobs()
        for job in (first, second):
            assert job.status == "SYS_CANCELED" and "time limit" in job.message, job
            assert job.endTime - job.startTime >= 1000
        assert first.endTime <= second.startTime
        """
    )
    assert stage.is_quiet(0), stage.processes()


@pytest.mark.parametrize("value", [0, -5, "0s", "1 hour", "an hour", "1.5", "", True, float("nan"), "-1m"])
def test_durations_that_are_none(stage, value):
    """Row 37: they are refused when they are set, or at the start, by name."""
    from nni_config import ExperimentConfig

    for field in ("max_experiment_duration", "max_trial_duration"):
        with pytest.raises(ValueError, match=f"(?s){field}.*allowed"):
            setattr(ExperimentConfig("local"), field, value)


@pytest.mark.parametrize("on_limit", [None, "stop"])
def test_the_time_limit_of_an_experiment(stage, on_limit):
    """Row 37: it says that it was the limit; running trials finish or are stopped, as was asked."""
    stage.write("trial.py", SLOW.replace("1000", "3"))
    output = stage.run(
        f"""
        experiment = make(trials=100)
        experiment.config.max_experiment_duration = "1s"
        experiment.config.on_limit = {on_limit!r}
        print("RESULT", experiment.run(0), experiment.get_status(), experiment.get_job_statistics())
        profile = experiment.get_experiment_profile()
        assert profile["execDuration"] >= 1
        assert experiment.get_experiment_profile()["execDuration"] == profile["execDuration"]
        """
    )
    status = "SYS_CANCELED" if on_limit else "SUCCEEDED"
    assert f"RESULT True DONE [{{'trialJobStatus': '{status}', 'trialJobNumber': 2}}]" in output
    assert "ended       DONE: max_experiment_duration (1 s) is reached" in output
    assert stage.is_quiet(), stage.processes()


BOHB_OF_TWO_BRACKETS = """
import time, nni
parameters = nni.get_next_parameter()
time.sleep({seconds} if parameters["TRIAL_BUDGET"] == 1 else 0)
nni.report_final_result(parameters["x"])
"""

NO_MORE_FOR_NOW = """
        experiment = make(trials=6, concurrency=6)
        experiment.config.tuner.name = "BOHB"
        experiment.config.tuner.class_args = {"max_budget": 3, "eta": 3, "repeat": False, "seed": 1}
"""


def test_the_time_runs_on_while_the_tuner_has_no_more(stage):
    """Row 34: with two brackets of BOHB the clock goes as the one on the wall, but for a pause's time."""
    stage.write("trial.py", BOHB_OF_TWO_BRACKETS.format(seconds=7))
    output = stage.run(
        NO_MORE_FOR_NOW
        + """
        experiment.start(0)

        def look():
            before = time.monotonic()
            ran = experiment.get_experiment_profile()["execDuration"]  # whole seconds
            return before, ran, time.monotonic()

        def went_on(first, then, paused=(0, 0)):
            shortest, longest = then[0] - first[2] - paused[1] - 1, then[2] - first[0] - paused[0] + 1
            assert shortest <= then[1] - first[1] <= longest, (first, then, paused)

        while experiment.get_status() != "TUNER_NO_MORE_TRIAL":
            time.sleep(0.02)
        looks, statuses = [look()], set()
        while time.monotonic() < looks[0][0] + 3:
            statuses.add(experiment.get_status())
            looks.append(look())
            went_on(looks[0], looks[-1])
        assert statuses == {"TUNER_NO_MORE_TRIAL"}, statuses
        asked = time.monotonic()
        experiment.pause()
        paused = time.monotonic()
        time.sleep(2)
        unpausing = time.monotonic()
        experiment.unpause()
        pause = unpausing - paused, time.monotonic() - asked
        while experiment.get_status() not in ("DONE", "ERROR"):
            looks.append(look())
            went_on(looks[0], looks[-1], pause if looks[-1][0] > asked else (0, 0))
            time.sleep(0.05)
        assert [it[1] for it in looks] == sorted(it[1] for it in looks)
        ended = look()
        went_on(looks[0], ended, pause)
        time.sleep(1.2)
        assert look()[1] == ended[1]
        budgets = [job.hyperParameters[0].parameters["TRIAL_BUDGET"] for job in experiment.list_trial_jobs()]
        print("BUDGETS", sorted(budgets), experiment.get_status())
        """
    )
    assert "BUDGETS [1, 1, 1, 3, 3, 3] DONE" in output
    assert stage.is_quiet(), stage.processes()


def test_the_time_limit_while_the_tuner_has_no_more(stage):
    """Row 34: the limit of time ends the experiment though the tuner has nothing for now."""
    stage.write("trial.py", BOHB_OF_TWO_BRACKETS.format(seconds=1000))
    output = stage.run(
        NO_MORE_FOR_NOW
        + """
        experiment.config.max_experiment_duration = "3s"
        experiment.config.on_limit = "stop"
        experiment.start(0)
        seen = set()
        while (status := experiment.get_status()) not in ("DONE", "ERROR"):
            seen.add(status)
            time.sleep(0.02)
        assert "TUNER_NO_MORE_TRIAL" in seen, seen
        assert experiment.get_experiment_profile()["execDuration"] == 3
        print("ENDED", status, sorted(job.status for job in experiment.list_trial_jobs()))
        """
    )
    assert f"ENDED DONE {['SUCCEEDED'] * 2 + ['SYS_CANCELED'] * 3}" in output
    assert stage.is_quiet(), stage.processes()


def test_what_is_interrupted_by_a_stop(stage):
    """Row 39: running trials end with the stop, in the record too, and their times stay as they are."""
    stage.write("trial.py", SLOW)
    stage.run(
        """
        experiment = make()
        experiment.start(0)
        while [job.status for job in experiment.list_trial_jobs()] != ["RUNNING"] * 2:
            time.sleep(0.05)
        before = time.time() * 1000
        experiment.stop()
        after = time.time() * 1000
        jobs, profile = experiment.list_trial_jobs(), experiment.get_experiment_profile()
        for job in jobs:
            assert job.status == "USER_CANCELED" and "stopped by the user" in job.message
            assert before <= job.endTime <= after
        assert before <= profile["endTime"] <= after
        time.sleep(1.1)
        assert (jobs, profile) == (experiment.list_trial_jobs(), experiment.get_experiment_profile())
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_all_views_agree(stage):
    """Row 40: exit code and final result decide once; nnictl and every call of the client say the same."""
    stage.write(
        "trial.py",
        """
        import nni
        nni.get_next_parameter()
        number = nni.get_sequence_id()
        if number != 1:
            nni.report_final_result(number)
        raise SystemExit(number == 0)
        """,
    )
    process = stage.start(
        """
        experiment = make(trials=3, concurrency=1)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            jobs = experiment.list_trial_jobs()
            assert all(job.status != "RUNNING" or job.endTime == -1 for job in jobs)
            assert all(job.status in ("RUNNING", "WAITING") or job.endTime > 0 for job in jobs)
        jobs = experiment.list_trial_jobs()
        assert [job.status for job in jobs] == ["FAILED", "SUCCEEDED", "SUCCEEDED"]
        assert [[metric.data for metric in job.finalMetricData] for job in jobs] == [[0], [], [2]]
        assert jobs == [experiment.get_trial_job(job.trialJobId) for job in jobs]
        statistics = experiment.get_job_statistics()
        assert sorted((each["trialJobStatus"], each["trialJobNumber"]) for each in statistics) == [
            ("FAILED", 1), ("SUCCEEDED", 2)
        ]
        assert experiment.best_trial() == jobs[2]
        assert [result.value for result in experiment.export_data()] == [0, 2]
        print("READY", flush=True)
        while not Path("go").exists():
            time.sleep(0.05)
        """
    )
    for line in process.stdout:
        if line.startswith("READY"):
            break
    told = json.loads(stage.nnictl("status", "--json").stdout)
    assert (told["status"], told["trials"]) == ("DONE", {"SUCCEEDED": 2, "FAILED": 1}), told
    assert told["best"]["objective"] == 2
    (stage.home / "go").touch()
    rest, _ = process.communicate(timeout=100)
    assert process.returncode == 0, rest
    assert stage.is_quiet(), stage.processes()


def test_who_ended_a_trial_and_why(stage):
    """Rows 43 and 48: the user, a killed process, a lost runner and the end of the manager are told apart."""
    stage.write("trial.py", SLOW)
    stage.run(
        """
        import json
        experiment = make(trials=5, concurrency=4)
        experiment.start(0)

        def jobs(status):
            return [job for job in experiment.list_trial_jobs() if job.status == status]

        def run(job):
            return json.loads(Path(job.logPath, ".nni", "0", "run.json").read_text())

        while len(jobs("RUNNING")) < 4:
            time.sleep(0.05)
        first, second, third, fourth = jobs("RUNNING")
        experiment.kill_trial_job(first.trialJobId)
        os.kill(run(second)["command"]["pid"], signal.SIGKILL)
        os.kill(run(third)["runner"]["pid"], signal.SIGKILL)
        while len(jobs("FAILED")) < 2 or not jobs("USER_CANCELED") or len(jobs("RUNNING")) < 2:
            time.sleep(0.05)
        manager = experiment._manager.process
        manager.process.terminate()
        manager.process.wait()
        first, second, third, fourth, fifth = experiment.list_trial_jobs()
        assert (first.status, first.message) == ("USER_CANCELED", "canceled by the user")
        assert (second.status, second.message) == ("FAILED", "killed by signal 9 (SIGKILL)")
        assert third.status == "FAILED" and "runner" in third.message, third
        assert fourth.status == fifth.status == "SYS_CANCELED", fifth
        assert "SIGTERM" in fifth.message or "manager" in fifth.message, fifth
        """
    )
    assert stage.is_quiet(), stage.processes()
