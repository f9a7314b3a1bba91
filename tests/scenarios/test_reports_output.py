"""Field reports on what trials print and log, and on logging around the library."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from datetime import datetime

import pytest

MANY = """
import os, subprocess, sys, nni
nni.get_next_parameter()
print("1 print")
os.write(1, b"2 os.write\\n")
subprocess.run(["echo", "3 a child"])
import ctypes
libc = ctypes.CDLL(None)
libc.printf(b"4 C code\\n")
libc.fflush(None)
sys.stdout.write("5 no newline;")
os.write(1, b" 6 the rest\\n")
for step in range(3):
    print(f"\\r7 progress {step}", end="", file=sys.stdout)
print()
sys.stdout.buffer.write("8 ü \\udcff\\n".encode("utf-8", "surrogateescape"))
sys.stdout.buffer.flush()
os.system("echo 9 the shell; echo E1 >&2")
print("E2", file=sys.stderr)
os.write(2, b"E3\\n")
"""

EXPECTED = (
    "1 print\n2 os.write\n3 a child\n4 C code\n5 no newline; 6 the rest\n"
    "\r7 progress 0\r7 progress 1\r7 progress 2\n8 ü \udcff\n9 the shell\n"
)


@pytest.fixture
def stage(stage):
    """A stage on which Python buffers as it does by itself."""
    stage.environment.pop("PYTHONUNBUFFERED", None)
    return stage


@pytest.mark.parametrize(
    "ending", ["", "os.kill(os.getpid(), 11)", "os._exit(3)", "os.abort()", "raise ValueError('E4')"]
)
def test_everything_that_is_written(stage, ending):
    """Row 193, rule T5: all of it is in the files, in order, also when the trial crashes right after."""
    stage.write("trial.py", MANY + ending + "\n")
    stage.run(
        f"""
        experiment = make(trials=1)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        (job,) = experiment.list_trial_jobs()
        assert job.status == ("FAILED" if {ending!r} else "SUCCEEDED"), job
        stdout = Path(job.logPath, "stdout").read_bytes()
        assert stdout == {EXPECTED.encode("utf-8", "surrogateescape")!r}, stdout
        stderr = Path(job.logPath, "stderr").read_text()
        assert stderr.startswith("E1\\nE2\\nE3\\n"), stderr
        assert ("E4" in stderr) == ("E4" in {ending!r})
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_output_is_there_while_the_trial_runs(stage):
    """Row 193, rule T12: nothing is kept back, by Python or by us; a result does not end a trial."""
    stage.write(
        "trial.py",
        """
        import time, nni
        nni.get_next_parameter()
        print("here")
        nni.report_final_result(1)
        time.sleep(1000)
        """,
    )
    stage.run(
        """
        experiment = make(trials=1)
        experiment.start(0)
        while not (jobs := experiment.list_trial_jobs()) or jobs[0].status != "RUNNING":
            time.sleep(0.05)
        while Path(jobs[0].logPath, "stdout").read_text() != "here\\n":
            time.sleep(0.05)
        while not (job := experiment.list_trial_jobs()[0]).finalMetricData:
            time.sleep(0.05)
        time.sleep(0.5)
        assert experiment.get_trial_job(job.trialJobId) == job
        assert (job.status, job.endTime) == ("RUNNING", -1)
        """
    )
    assert stage.is_quiet(), stage.processes()


def test_what_a_trial_logs(stage):
    """Rule T5: INFO and above go to trial.log, unless the script has its own logging; print does not."""
    stage.write(
        "trial.py",
        """
        import logging, nni
        nni.get_next_parameter()
        number = nni.get_sequence_id()
        if number == 1:
            logging.basicConfig(level=logging.DEBUG, format="mine: %(message)s")
        if number == 2:
            nni.silence_stdout()
        if number == 3:
            logging.basicConfig(level=logging.DEBUG, format="mine: %(message)s")
            nni.enable_global_logging()
        logging.info("some information")
        logging.getLogger("library").warning("a warning")
        print("printed")
        nni.report_final_result(1)
        """,
    )
    stage.run(
        """
        experiment = make(trials=4, concurrency=1)
        experiment.start(0)
        while experiment.get_status() not in ("DONE", "ERROR"):
            time.sleep(0.05)
        for job in experiment.list_trial_jobs():
            folder = Path(job.logPath)
            log = (folder / "trial.log").read_text() if (folder / "trial.log").exists() else ""
            stderr = (folder / "stderr").read_text()
            assert (folder / "stdout").read_text() == "printed\\n" and "printed" not in log
            assert ("some information" in log) == (job.sequenceId != 1), (job.sequenceId, log)
            assert ("mine: some information" in stderr) == (job.sequenceId in (1, 3)), stderr
            assert "a warning" in stderr
        """
    )
    assert stage.is_quiet(), stage.processes()


LIBRARY = """
import io, logging, sys, warnings
stream = io.StringIO()
logging.basicConfig(stream=stream, level=logging.WARNING, format="%(name)s:%(message)s", {extra})
root = logging.getLogger()
before = (root.handlers[:], root.level, root.filters[:], logging.lastResort, logging.getLoggerClass())
hooks = (sys.excepthook, sys.stdout, sys.stderr, warnings.showwarning, warnings.filters[:])
{body}
assert (root.handlers, root.level, root.filters, logging.lastResort, logging.getLoggerClass()) == before
assert (sys.excepthook, sys.stdout, sys.stderr, warnings.showwarning, warnings.filters[:]) == hooks
logging.getLogger("other").warning("seen")
logging.getLogger("other").info("not seen")
assert stream.getvalue().endswith("other:seen\\n"), stream.getvalue()
print("LINES", repr(stream.getvalue()))
"""


def test_a_program_with_logging_of_its_own(stage):
    """Row 205: importing and running leave its handlers, levels and hooks alone."""
    for body in (
        "import nni",
        "import nni.experiment, nni.tuner, nni.assessor, nni.utils\nfrom nni import *",
    ):
        done = subprocess.run(
            [sys.executable, "-c", LIBRARY.format(body=body, extra="")],
            env=stage.environment,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "LINES 'other:seen\\n'\n", ""), done
    body = "experiment = make(trials=2)\nassert experiment.run(0)\nexperiment.export_data()"
    output = stage.run(LIBRARY.format(body=body, extra="force=True"))
    assert "LINES 'other:seen\\n'" in output
    assert stage.is_quiet(), stage.processes()


def test_times_in_log_files_have_a_zone(stage):
    """Each line that is logged says when, as clocks here have it, and how far they are from UTC."""
    stage.environment["TZ"] = "ABC-5:30"
    stage.write(
        "trial.py",
        """
        import logging, nni
        nni.get_next_parameter()
        logging.info("by the trial")
        nni.report_final_result(1)
        """,
    )
    stage.write(
        "own.py",
        """
        import logging
        from nni.tuner import Tuner

        class Own(Tuner):
            def update_search_space(self, search_space):
                logging.getLogger("own").info("by the tuner")

            def generate_parameters(self, parameter_id, **kwargs):
                return {}

            def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
                pass
        """,
    )
    began = time.time()
    stage.run(
        """
        import logging
        from nni.experiment import CustomAlgorithmConfig
        experiment = make(trials=1, id="mine")
        experiment.config.tuner = CustomAlgorithmConfig(class_name="own.Own")
        experiment.config.tuner.code_directory = Path(__file__).parent
        experiment.start(0)
        logging.getLogger("nni").error("by the script")
        while experiment.get_status() != "DONE":
            time.sleep(0.05)
        """
    )
    folder = stage.experiments / "mine"
    (trial_log,) = folder.glob("trials/*/trial.log")
    said = {
        trial_log: "by the trial",
        folder / "log" / "dispatcher.log": "by the tuner",
        folder / "log" / "experiment.log": "by the script",
        folder / "log" / "nnimanager.log": "experiment",
    }
    for path, text in said.items():
        line = next(line for line in path.read_text().splitlines() if text in line)
        match = re.match(r"\[?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d{3})?\+05:?30\b", line)
        assert match is not None, (path, line)
        moment = datetime.fromisoformat(f"{match[1]}+05:30").timestamp()
        assert began - 1 <= moment <= time.time(), (path, line)
