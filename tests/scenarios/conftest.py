"""A stage for whole stories: a home of its own, scripts run as processes, nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROLOGUE = """\
import os, signal, sys, threading, time
from pathlib import Path
from nni.experiment import Experiment, RunMode

def make(command="python3 trial.py", trials=4, concurrency=2, **options):
    experiment = Experiment("local", **options)
    config = experiment.config
    config.trial_concurrency = concurrency
    config.max_trial_number = trials
    config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
    config.trial_command = command
    config.trial_code_directory = Path(__file__).parent
    config.tuner.name = "Random"
    config.tuner.class_args["optimize_mode"] = "maximize"
    config.trial_stop_grace_period = "1s"
    return experiment

"""

TRIAL = """\
import nni
x = nni.get_next_parameter()["x"]
for step in range(3):
    nni.report_intermediate_result(x * step)
nni.report_final_result(x)
"""


class Stage:
    """Where a story plays.

    Attributes:
        folder: The folder of the scripts; not the working directory they are run in.
        home: The home folder.
        environment: The environment that programs run in.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "code"
        self.home = folder / "home"
        for each in (self.folder, self.home):
            each.mkdir()
        self._mark = f"STAGE={uuid.uuid4()}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("NNI_", "SSH_"))},
            "HOME": str(self.home),
            # Short, since sockets lie in it.
            "NNI_RUNTIME_DIR": f"/tmp/nni-stage-{uuid.uuid4().hex[:8]}",
            "STAGE": self._mark.partition("=")[2],
            "PYTHONWARNINGS": "error",
        }
        self.write("trial.py", TRIAL)

    @property
    def experiments(self) -> Path:
        """The folder of the experiments."""
        return self.home / "nni-experiments"

    def write(self, name: str, text: str) -> Path:
        """Writes a script."""
        path = self.folder / name
        path.write_text(textwrap.dedent(text))
        return path

    def start(self, body: str, **options: object) -> subprocess.Popen[str]:
        """Starts a script that begins with the prologue."""
        path = self.folder / f"script{len(list(self.folder.iterdir()))}.py"
        path.write_text(PROLOGUE + textwrap.dedent(body))
        arguments = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": self.home}
        return subprocess.Popen(
            [sys.executable, "-u", str(path)],
            stdin=subprocess.DEVNULL,
            env=self.environment,
            **{**arguments, **options},  # type: ignore[call-overload]
        )

    def run(self, body: str, timeout: float = 100.0) -> str:
        """Runs a script that begins with the prologue, and returns its output; it is to exit with 0."""
        with self.start(body) as process:
            try:
                output, _ = process.communicate(timeout=timeout)
            except BaseException:
                process.kill()  # else it would be waited for without an end
                raise
        assert process.returncode == 0, output
        return output

    def nnictl(self, *words: str, exit_code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs nnictl."""
        done = subprocess.run(
            [sys.executable, "-c", "from nni_client.commands import main; main()", *words],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.returncode == exit_code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def processes(self) -> dict[int, str]:
        """The processes that the story has started and that have not ended, with their command lines."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                marked = self._mark.encode() in (folder / "environ").read_bytes()
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            except OSError:
                continue
            if marked and command:
                found[int(folder.name)] = command
        return found

    def is_quiet(self, seconds: float = 30.0) -> bool:
        """Whether nothing of the story runs any more, after some seconds at most."""
        return self.until(lambda: not self.processes(), seconds)

    @staticmethod
    def until(condition: Callable[[], object], seconds: float = 60.0) -> bool:
        """Waits until something is so; whether it came to be."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                return True
            time.sleep(0.05)
        return bool(condition())

    def clean(self) -> None:
        """Ends whatever is left."""
        while left := self.processes():
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.05)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    try:
        yield stage
    finally:
        stage.clean()
        runtime = Path(stage.environment["NNI_RUNTIME_DIR"])
        subprocess.run(["rm", "-rf", str(runtime)], check=True)


@pytest.fixture
def id_in() -> Callable[[str], str]:
    """Returns the experiment's id in what a script printed."""

    def find(output: str) -> str:
        match = re.search(r"^Experiment ID: (\S+)$", output, re.MULTILINE)
        assert match is not None, output
        return match[1]

    return find
