"""A stage for whole stories: a home of its own, scripts run as processes, nothing left behind."""

from __future__ import annotations

import json
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
from typing import Any

import pytest
from workspace.lab import Laboratory

PROLOGUE = """\
import os, signal, sys, threading, time
from pathlib import Path
from nni.experiment import Experiment, RunMode

def make(command="python3 trial.py", trials=4, concurrency=2, platform="local", **options):
    experiment = Experiment(platform, **options)
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

REMOTE_PROLOGUE = """\
import json
from nni.experiment.config import LocalConfig, RemoteConfig, RemoteMachineConfig

MACHINES = json.loads(os.environ["LAB_MACHINES"])

def machine(name, way="key", **fields):
    return RemoteMachineConfig(**{**MACHINES[name][way], **fields})

def remote(*machines, trials=3, concurrency=3, command="python3 trial.py", id=None, **service):
    experiment = make(command, trials, concurrency, "remote", id=id)
    experiment.config.training_service.machine_list = [
        machine(each) if isinstance(each, str) else each for each in machines
    ]
    for name, value in service.items():
        setattr(experiment.config.training_service, name, value)
    return experiment

def wait(experiment):
    while experiment.get_status() not in ("DONE", "STOPPED", "ERROR"):
        time.sleep(0.1)

def tell(experiment):
    metrics = experiment.get_job_metrics()
    print("FACTS", json.dumps([{
        "id": trial.trialJobId,
        "status": trial.status,
        "message": trial.message,
        "host": trial.host,
        "gpus": trial.gpus,
        "log": trial.logPath,
        "stderr": trial.stderrPath,
        "final": trial.finalMetricData[0].data if trial.finalMetricData else None,
        "values": [it.data for it in metrics.get(trial.trialJobId, []) if it.type == "PERIODICAL"],
    } for trial in experiment.list_trial_jobs()]))

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
        prologue: What every script begins with.
        folder: The folder of the scripts; not the working directory they are run in.
        home: The home folder.
        environment: The environment that programs run in.
    """

    prologue = PROLOGUE

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
        path.write_text(self.prologue + textwrap.dedent(body))
        arguments = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "text": True,
            "cwd": self.home,
        }
        return subprocess.Popen(
            [sys.executable, "-u", str(path)],
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
def remote_stage(stage: Stage, lab: Laboratory) -> Stage:
    """A stage whose user has hosts, by name in ~/.ssh/config: gpu-a, gpu-b and old."""
    ssh = stage.home / ".ssh"
    ssh.mkdir(0o700)
    (ssh / "config").write_text(lab.ssh_config())
    stage.environment["LAB_MACHINES"] = json.dumps(
        {
            name: {way: {**host.machine(way), "host": name} for way in ("key", "passphrase", "password")}
            for name, host in lab.hosts.items()
        }
    )
    stage.prologue = PROLOGUE + REMOTE_PROLOGUE
    return stage


@pytest.fixture
def facts_in() -> Callable[[str], list[dict[str, Any]]]:
    """Returns what a script told of its trials."""

    def find(output: str) -> list[dict[str, Any]]:
        (line,) = [line for line in output.splitlines() if line.startswith("FACTS ")]
        found: list[dict[str, Any]] = json.loads(line.removeprefix("FACTS "))
        return found

    return find


@pytest.fixture
def nothing_is_left(lab: Laboratory) -> Callable[[], None]:
    """Fails if a host has a process or a file of a user."""

    def check() -> None:
        for host in lab.hosts.values():
            assert Stage.until(lambda host=host: not host.processes(), 20), (host.name, host.processes())  # type: ignore[misc]
            left = host.run("find /home/*/ /tmp /var/tmp /dev/shm -mindepth 1 | head -20")
            assert left == "", (host.name, left)

    return check


@pytest.fixture
def id_in() -> Callable[[str], str]:
    """Returns the experiment's id in what a script printed."""

    def find(output: str) -> str:
        match = re.search(r"^Experiment ID: (\S+)$", output, re.MULTILINE)
        assert match is not None, output
        return match[1]

    return find
