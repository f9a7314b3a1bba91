"""Field reports on stopping trials: in time, with all they started, and with what they wanted to save."""

from __future__ import annotations

import os

import pytest

FAMILY = """
import multiprocessing, os, subprocess, sys, time, nni

def wait():
    time.sleep(1000)

if __name__ == "__main__":
    nni.get_next_parameter()
    for method in ("fork", "spawn"):
        multiprocessing.get_context(method).Process(target=wait).start()
    subprocess.Popen(["sh", "-c", "sleep 1000 & sleep 1000 & wait"])
    subprocess.Popen(["setsid", "sleep", "1000"])
    subprocess.Popen(["env", "-i", "/usr/bin/setsid", "/bin/sleep", "1000"])
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve("/bin/sleep", ["sleep", "1000"], {})
        os._exit(0)
    subprocess.Popen(["nohup", "sh", "-c", "trap '' INT TERM; sleep 1000; sleep 1000"])
    nni.report_intermediate_result(1)
"""


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("os._exit(0)", "SUCCEEDED"),
        ("os._exit(1)", "FAILED"),
        ("kill", "USER_CANCELED"),
        ("stop", "USER_CANCELED"),
    ],
)
def test_what_a_trial_leaves_behind(stage, ending, status):
    """Row 44: however a trial ends, nothing that it started is left, not even what has no environment."""
    # A number of seconds that tells the processes of this story, since some of them have no environment.
    seconds = f"1000.{os.getpid()}"
    stage.write(
        "trial.py",
        FAMILY.replace("1000", seconds)
        + "    "
        + (ending if "exit" in ending else "time.sleep(1000)")
        + "\n",
    )
    stage.run(
        f"""
        experiment = make(trials=1)
        experiment.config.trial_stop_grace_period = "0.5s"
        experiment.start(0)
        ending = {ending!r}
        while not experiment.get_job_metrics():
            time.sleep(0.05)
        (job,) = experiment.list_trial_jobs()
        if ending == "kill":
            experiment.kill_trial_job(job.trialJobId)
        if ending == "stop":
            experiment.stop()
        while (job := experiment.get_trial_job(job.trialJobId)).endTime == -1:
            time.sleep(0.05)
        assert job.status == {status!r}, job

        def left():
            found = []
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    if {seconds!r}.encode() in file.read_bytes():
                        found.append(file.read_bytes())
                except OSError:
                    continue
            return found

        assert not left(), left()
        """
    )
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize(
    "repeats", [10, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_a_bad_trial_is_always_early_stopped(stage, repeats):
    """Row 42: whatever the exit code is and whenever the trial ends after the verdict."""
    stage.write(
        "judge.py",
        """
        from nni.assessor import AssessResult, Assessor

        class Judge(Assessor):
            def assess_trial(self, trial_job_id, trial_history):
                return AssessResult.Bad if len(trial_history) >= 2 else AssessResult.Good
        """,
    )
    stage.write(
        "trial.py",
        """
        import os, signal, sys, time, nni
        x = nni.get_next_parameter()["x"]
        number = nni.get_sequence_id()
        if number % 4 < 3:
            signal.signal(signal.SIGINT, lambda *_: os._exit([0, 1, 143][number % 4]))
        for step in range(2 + number % 3):
            nni.report_intermediate_result({"seen": x})  # Without a number none is the best.
        time.sleep(1000)
        """,
    )
    stage.run(
        f"""
        experiment = make(trials={repeats}, concurrency=4)
        experiment.config.assessor.class_name = "judge.Judge"
        experiment.config.assessor.code_directory = str(Path(__file__).parent)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        jobs = experiment.list_trial_jobs()
        assert {{job.status for job in jobs}} == {{"EARLY_STOPPED"}} and len(jobs) == {repeats}, jobs
        assert {{job.message for job in jobs}} <= {{
            f"Judge judged it bad after {{count}} intermediate results" for count in (2, 3, 4)
        }}
        assert all(len(metrics) >= 2 for metrics in experiment.get_job_metrics().values())
        """,
        timeout=500,
    )
    assert stage.is_quiet(), stage.processes()


def test_killing_trials_in_every_state(stage):
    """Row 45: waiting, running, ended and unknown ones; twice is once; what cannot be is said."""
    stage.write(
        "slow.py",
        """
        import time
        from nni.tuner import Tuner

        class Slow(Tuner):
            def update_search_space(self, search_space):
                pass

            def generate_parameters(self, parameter_id, **kwargs):
                time.sleep(0.5)
                return {"x": parameter_id}

            def receive_trial_result(self, *args, **kwargs):
                pass
        """,
    )
    stage.write("trial.py", "import time, nni\nnni.get_next_parameter()\ntime.sleep(1000)\n")
    stage.run(
        """
        from nni_client.errors import NotFoundError
        experiment = make(trials=3, concurrency=3)
        tuner = experiment.config.tuner
        tuner.name, tuner.class_name, tuner.class_args = None, "slow.Slow", {}
        tuner.code_directory = str(Path(__file__).parent)
        experiment.start(0)
        experiment.update_trial_concurrency(1)
        while sorted(job.status for job in experiment.list_trial_jobs()) != ["RUNNING", "WAITING", "WAITING"]:
            time.sleep(0.05)
        waiting = [job for job in experiment.list_trial_jobs() if job.status == "WAITING"]
        assert all("trial_concurrency is 1" in job.message for job in waiting), waiting
        first = waiting[0].trialJobId
        for _ in range(2):
            experiment.kill_trial_job(first)
        job = experiment.get_trial_job(first)
        assert job.status == "USER_CANCELED" and job.message == "canceled by the user" and job.endTime > 0
        (running,) = (job for job in experiment.list_trial_jobs() if job.status == "RUNNING")
        for _ in range(2):
            experiment.kill_trial_job(running.trialJobId)
        while experiment.get_trial_job(waiting[1].trialJobId).status != "RUNNING":
            time.sleep(0.05)
        ended = experiment.get_trial_job(running.trialJobId)
        assert ended.status == "USER_CANCELED"
        experiment.kill_trial_job(running.trialJobId)
        assert experiment.get_trial_job(running.trialJobId) == ended
        for wrong in ("zzzzz", first[:4]):
            try:
                experiment.kill_trial_job(wrong)
            except NotFoundError as error:
                assert wrong in str(error)
            else:
                raise AssertionError(wrong)
        for wrong in ("", "../x", "a b"):
            try:
                experiment.kill_trial_job(wrong)
            except ValueError as error:
                assert repr(wrong) in str(error), error
            else:
                raise AssertionError(wrong)
        experiment.stop()
        try:
            experiment.kill_trial_job(first)
        except RuntimeError as error:
            assert "not running" in str(error)
        else:
            raise AssertionError
        """
    )
    assert stage.is_quiet(), stage.processes()


@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM", "SIGUSR1", "SIGKILL"])
def test_the_signals_of_a_stop(stage, first):
    """Row 46, rule T13: the first signal can be set; SIGTERM and SIGKILL follow after grace periods."""
    stage.write(
        "trial.py",
        """
        import os, signal, time, nni
        nni.get_next_parameter()
        polite = nni.get_sequence_id() == 0
        folder = os.environ["NNI_OUTPUT_DIR"]

        def save(number, frame):
            with open(os.path.join(folder, "heard"), "a") as file:
                file.write(signal.Signals(number).name + " ")
            if polite:
                time.sleep(0.3)
                open(os.path.join(folder, "bye.txt"), "w").close()
                os._exit(0)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, save)
        nni.report_intermediate_result(1)
        while True:
            time.sleep(1000)
        """,
    )
    stage.run(
        f"""
        first = {first!r}
        experiment = make(trials=2)
        experiment.config.trial_stop_signal = first
        experiment.config.trial_stop_grace_period = "1s"
        experiment.start(0)
        while len(experiment.get_job_metrics()) < 2:
            time.sleep(0.05)
        begin = time.monotonic()
        experiment.stop()
        took = time.monotonic() - begin
        polite, stubborn = experiment.list_trial_jobs()
        assert polite.status == stubborn.status == "USER_CANCELED"
        heard = [
            path.read_text().split() if (path := Path(job.logPath, "heard")).exists() else []
            for job in (polite, stubborn)
        ]
        if first == "SIGKILL":
            assert heard == [[], []]
        elif first == "SIGTERM":
            assert heard[0] == ["SIGTERM"] and set(heard[1]) == {{"SIGTERM"}} and took >= 1
        else:
            assert heard == [[first], [first, "SIGTERM"]] and took >= 2
        assert Path(polite.logPath, "bye.txt").exists() == (first != "SIGKILL")
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_a_stopped_worker_gives_its_parameters_back(stage):
    """Row 49: a trial that somebody ends by SIGTERM is run again as it was, as often as it may be."""
    stage.write(
        "trial.py",
        """
        import os, time, nni
        x = nni.get_next_parameter()["x"]
        with open("runs", "a") as file:
            print(nni.get_trial_id(), os.environ["NNI_TRIAL_ATTEMPT"], x, file=file)
        nni.report_intermediate_result(x)
        while not os.path.exists("go"):
            time.sleep(0.02)
        nni.report_final_result(x)
        """,
    )
    stage.run(
        """
        import json
        experiment = make(trials=3, concurrency=1)
        experiment.config.max_trial_retries = 2
        experiment.start(0)
        folder = Path(__file__).parent

        def runs():
            file = folder / "runs"
            return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

        for attempt in range(2):
            while len(experiment.get_job_metrics()) < 1 or len(runs()) < attempt + 1:
                time.sleep(0.05)
            (job,) = (each for each in experiment.list_trial_jobs() if each.status == "RUNNING")
            noted = json.loads(Path(job.logPath, ".nni", str(attempt), "run.json").read_text())
            os.kill(noted["command"]["pid"], signal.SIGTERM)
            while len(runs()) < attempt + 2:
                assert experiment.get_trial_job(job.trialJobId).status != "FAILED"
                time.sleep(0.05)
        (folder / "go").touch()
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        jobs = experiment.list_trial_jobs()
        assert [job.status for job in jobs] == ["SUCCEEDED"] * 3
        first = [run for run in runs() if run[0] == jobs[0].trialJobId]
        assert [run[1] for run in first] == ["0", "1", "2"] and len({run[2] for run in first}) == 1, runs()
        assert len(runs()) == 5, runs()
        """
    )
    assert stage.is_quiet(), stage.processes()
