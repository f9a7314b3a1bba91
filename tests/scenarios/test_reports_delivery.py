"""Field reports on the way of a metric from the trial to the record."""

from __future__ import annotations

import os
import subprocess
import sys


def test_metrics_beside_a_busy_stdout(stage):
    """Row 60: what is printed, in pieces, by threads and children, never mixes with what is reported."""
    stage.write(
        "trial.py",
        """
        import os, subprocess, sys, threading, nni
        nni.get_next_parameter()
        done = threading.Event()

        def chatter(name):
            while not done.is_set():
                sys.stdout.write('{"k":"i","r":"1-a","n":')
                os.write(1, b'0,"v":1}\\n{"broken": ')
                print(name * 50, end="\\r")

        threads = [threading.Thread(target=chatter, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        child = subprocess.Popen(["bash", "-c", "for i in $(seq 500); do printf 'no newline %s' $i; done"])
        big = {"default": 0.5, **{f"key {number}": "ü" * 100 for number in range(5000)}}
        for step in range(300):
            nni.report_intermediate_result(step)
        nni.report_intermediate_result(big)
        nni.report_final_result(big)
        done.set()
        child.wait()
        for thread in threads:
            thread.join()
        """,
    )
    stage.run(
        """
        experiment = make(trials=2)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        big = {"default": 0.5, **{f"key {number}": "ü" * 100 for number in range(5000)}}
        metrics = experiment.get_job_metrics()
        for job in experiment.list_trial_jobs():
            assert job.status == "SUCCEEDED"
            assert [metric.data for metric in metrics[job.trialJobId]] == [*range(300), big, big]
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_no_final_result(stage):
    """Row 61: the last intermediate result is never taken for the final one, and the absence is said."""
    stage.write(
        "trial.py",
        """
        import nni
        nni.get_next_parameter()
        for step in range(3):
            nni.report_intermediate_result(step)
        """,
    )
    output = stage.run(
        """
        experiment = make(trials=2)
        assert experiment.run(0)
        jobs = experiment.list_trial_jobs()
        assert [(job.status, job.finalMetricData) for job in jobs] == [("SUCCEEDED", [])] * 2
        assert experiment.export_data() == [] and experiment.best_trial() is None
        assert all("without a final result" in job.message for job in jobs), jobs[0].message
        """
    )
    assert "2 succeeded" in output and "none: no trial succeeded with a number as its result" in output
    assert stage.is_quiet(), stage.processes()


def test_reports_from_elsewhere(stage):
    """Row 63: it works after chdir, with a bare environment, with a hidden folder; else that is said."""
    stage.write(
        "report.py",
        "import os, nni\nos.chdir('/')\nx = nni.get_next_parameter()\n"
        "nni.report_intermediate_result(1)\nnni.report_final_result(2)\nprint('GOT', x)\n",
    )
    stage.write(
        "clean.sh", "cd /; env -i $(env | grep -E '^(NNI_|PYTHONPATH)') $PYTHON $NNI_CODE_DIR/report.py"
    )
    stage.write("bare.sh", "cd /; env -i PYTHONPATH=$PYTHONPATH $PYTHON $NNI_CODE_DIR/report.py")
    stage.write("hidden.sh", "NNI_SYS_DIR=/not/mounted $PYTHON report.py")
    stage.write("unmounted.sh", "NNI_SYS_DIR=/not/mounted env -u NNI_OPEN_FILES $PYTHON report.py")
    stage.environment["PYTHON"] = sys.executable
    stage.run(
        """
        experiment = make("bash $NNI_TRIAL_SEQ_ID.sh", trials=4, concurrency=1)
        for number, name in enumerate(("clean", "bare", "hidden", "unmounted")):
            Path(__file__).with_name(f"{number}.sh").write_text(Path(__file__).with_name(f"{name}.sh").read_text())
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        clean, bare, hidden, unmounted = experiment.list_trial_jobs()
        metrics = experiment.get_job_metrics()
        assert [metric.data for metric in metrics[clean.trialJobId]] == [1, 2]
        assert [metric.data for metric in metrics[hidden.trialJobId]] == [1, 2], "by inherited descriptors"
        assert "GOT {'x': 0." in Path(clean.logPath, "stdout").read_text()
        assert "Running trial code without runtime" in Path(bare.logPath, "stderr").read_text()
        assert "GOT {}" in Path(bare.logPath, "stdout").read_text()
        assert unmounted.status == "FAILED"
        stderr = Path(unmounted.stderrPath).read_text()
        assert "parameters of this trial cannot be read from /not/mounted" in stderr
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_locale_clock_and_file_of_a_trial(stage):
    """Row 64: another encoding, a wrong clock, and a report file that is replaced or truncated while read."""
    stage.environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    stage.environment["PYTHONIOENCODING"] = "latin-1"
    stage.write(
        "trial.py",
        """
        import os, shutil, time, nni
        number = nni.get_sequence_id()
        assert nni.get_next_parameter()["größe"] == "größer €"
        if number == 1:
            clock = iter([4102444800.0, -1.5, 1e300, 2e9, -1e300, 0.0])
            time.time = lambda: next(clock)
        reports = os.path.join(os.environ["NNI_SYS_DIR"], "reports.jsonl")
        for step in range(5):
            nni.report_intermediate_result({"default": step, "größe": "€"})
            if number == 2:
                shutil.copy(reports, reports + ".copy")
                os.replace(reports + ".copy", reports)
            if number == 3 and step == 2:
                with open(reports, "rb+") as file:
                    content = file.read()
                    time.sleep(0.5)
                    file.truncate(0)
                    time.sleep(0.5)
                    file.seek(0)
                    file.write(content)
        nni.report_final_result({"default": 9, "größe": "€"})
        """,
    )
    stage.run(
        """
        experiment = make(trials=4)
        experiment.config.search_space = {"größe": {"_type": "choice", "_value": ["größer €"]}}
        experiment.config.tuner.name = None
        experiment.config.tuner.class_name = "same.Same"
        experiment.config.tuner.class_args = {}
        experiment.config.tuner.code_directory = str(Path(__file__).parent)
        Path(__file__).with_name("same.py").write_text(
            "from nni.tuner import Tuner\\n"
            "class Same(Tuner):\\n"
            "    def update_search_space(self, space):\\n"
            "        self.space = space\\n"
            "    def generate_parameters(self, *args, **kwargs):\\n"
            "        return {name: entry['_value'][0] for name, entry in self.space.items()}\\n"
            "    def receive_trial_result(self, *args, **kwargs):\\n"
            "        pass\\n",
            encoding="utf-8",
        )
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        metrics = experiment.get_job_metrics()
        for job in experiment.list_trial_jobs():
            assert job.status == "SUCCEEDED", Path(job.logPath, "stderr").read_bytes()
            values = [metric.data for metric in metrics[job.trialJobId]]
            expected = [{"default": step, "größe": "€"} for step in (0, 1, 2, 3, 4, 9)]
            assert values == expected, (job.sequenceId, ascii(values))
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_parameters_in_the_parent_and_reports_in_a_child(stage):
    """Rows 66 and 199, rule T8: any process of the trial reports, and gets the same parameters."""
    stage.write(
        "trial.py",
        """
        import multiprocessing, os, nni

        def work(expected, step):
            assert nni.get_next_parameter() == expected
            nni.report_intermediate_result(step)

        if __name__ == "__main__":
            parameters = nni.get_next_parameter()
            for step, method in enumerate(("fork", "spawn", "forkserver")):
                child = multiprocessing.get_context(method).Process(target=work, args=(parameters, step))
                child.start()
                child.join()
                assert child.exitcode == 0
            if os.fork() == 0:
                nni.report_final_result(7)
                assert nni.get_next_parameter() is None
                os._exit(0)
            os.wait()
            assert nni.get_next_parameter() == parameters
        """,
    )
    stage.run(
        """
        experiment = make(trials=1)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        (job,) = experiment.list_trial_jobs()
        assert job.status == "SUCCEEDED", Path(job.logPath, "stderr").read_text()
        assert [metric.data for metric in experiment.get_job_metrics()[job.trialJobId]] == [0, 1, 2, 7]
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_a_trial_script_by_hand(stage):
    """Row 67: no experiment, no parameters, one visible notice, results on the console, exit code 0."""
    script = stage.write(
        "trial.py",
        """
        import nni
        parameters = {"x": 0.5}
        parameters.update(nni.get_next_parameter())
        nni.report_intermediate_result(parameters["x"])
        nni.report_final_result({"default": 1})
        print("ENDED", parameters)
        """,
    )
    variables = {name: value for name, value in os.environ.items() if not name.startswith("NNI_")}
    done = subprocess.run(
        [sys.executable, str(script)], env=variables, cwd=stage.home, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Running trial code without runtime") == 1
    assert "Intermediate result: 0.5  (Index 0)" in done.stdout
    assert "Final result: {'default': 1}" in done.stdout
    assert "ENDED {'x': 0.5}" in done.stdout


def test_a_crash_right_after_reporting(stage):
    """Row 73: what was reported before os._exit, a signal or a fault is stored, and the trial has failed."""
    stage.write(
        "trial.py",
        """
        import ctypes, os, signal, nni
        nni.get_next_parameter()
        for step in range(5):
            nni.report_intermediate_result(step)
        [
            lambda: os._exit(1),
            lambda: os.kill(os.getpid(), signal.SIGKILL),
            lambda: ctypes.string_at(0),
            lambda: os.abort(),
        ][nni.get_sequence_id()]()
        """,
    )
    stage.run(
        """
        experiment = make(trials=4)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        jobs, metrics = experiment.list_trial_jobs(), experiment.get_job_metrics()
        assert [job.status for job in jobs] == ["FAILED"] * 4
        for job in jobs:
            assert [metric.data for metric in metrics[job.trialJobId]] == [0, 1, 2, 3, 4]
        messages = [job.message for job in jobs]
        assert messages[0] == "exit code 1"
        for message, name in zip(messages[1:], ("SIGKILL", "SIGSEGV", "SIGABRT")):
            assert message.startswith("killed by signal") and name in message, messages
        """
    )
    assert stage.is_quiet(), stage.processes()
