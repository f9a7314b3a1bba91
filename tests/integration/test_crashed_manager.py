"""A manager that is killed while trials run, and the one that goes on: real trials, real tuner."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nni_config import ExperimentConfig
from nni_manager.testing.manager_process import ManagerStarter, StartedManager, manager_starter
from nni_proto import values
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1 import metric_pb2, trial_pb2

RESUME = ("--resume", "--experiment-id=mine")

TRIAL = """\
import os, sys, time
import nni
from pathlib import Path
x = nni.get_next_parameter()["x"]
folder = Path(sys.argv[1])
with open(folder / "started", "a") as file:
    file.write(f"{nni.get_trial_id()} {os.getpid()}\\n")
def report(kind, value):
    with open(folder / "reported", "a") as file:
        file.write(f"{nni.get_trial_id()} {kind} {value!r}\\n")
    getattr(nni, f"report_{kind}_result")(value)
report("intermediate", x / 2)
while not (folder / "go").exists():
    time.sleep(0.02)
report("intermediate", x / 3)
report("final", x)
"""


class Experiment:
    """An experiment of trials that wait for a file.

    Attributes:
        starter: Starts its managers.
        folder: Where the trials write down what they do.
        config: Its configuration.
    """

    def __init__(self, starter: ManagerStarter, folder: Path) -> None:
        self.starter = starter
        self.folder = folder
        (folder / "trial.py").write_text(TRIAL)
        self.config = ExperimentConfig("local")
        self.config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
        self.config.trial_command = f"python3 trial.py {folder}"
        self.config.trial_code_directory = folder
        self.config.trial_concurrency = 3
        self.config.max_trial_number = 6
        self.config.tuner.name = "Random"
        self.config.trial_stop_grace_period = "1s"
        self.config = self.config.canonical_copy()

    def start(self) -> StartedManager:
        manager = self.starter.start("--experiment-id=mine")
        manager.create_and_start(self.config)
        return manager

    def go(self) -> None:
        (self.folder / "go").touch()

    def lines(self, name: str) -> list[list[str]]:
        path = self.folder / name
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def until_started(self, count: int) -> None:
        self.until(lambda: len(self.lines("started")) >= count)

    def check(self, manager: StartedManager, count: int) -> None:
        """Every trial ran once, and everything that the trials reported is stored once."""
        started = Counter(trial_id for trial_id, _ in self.lines("started"))
        trials = {trial.name.rpartition("/")[2]: trial for trial in manager.trials()}
        assert started == Counter(list(trials))
        assert sorted(trial.sequence_number for trial in trials.values()) == list(range(count))
        reported = Counter(tuple(line) for line in self.lines("reported"))
        stored: Counter[tuple[str, ...]] = Counter()
        for metric in manager.metrics():
            kind = metric_pb2.MetricKind.Name(metric.kind).removeprefix("METRIC_KIND_").lower()
            stored[metric.trial.rpartition("/")[2], kind, repr(values.from_message(metric.value))] += 1
        assert stored == reported and max(stored.values()) == 1

    def processes(self) -> set[int]:
        mark = f"NNI_RUNTIME_DIR={self.starter.environment['NNI_RUNTIME_DIR']}".encode()
        found = set()
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes().split(b"\0"):
                    found.add(int(path.parent.name))
            except OSError:
                continue
        return found


@pytest.fixture
def experiment(tmp_path: Path) -> Iterator[Experiment]:
    with manager_starter(tmp_path) as starter:
        folder = tmp_path / "code"
        folder.mkdir()
        found = Experiment(starter, folder)
        yield found
        (folder / "go").touch()
        for pid in found.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def test_trials_that_ran_are_adopted_and_nothing_is_lost(experiment: Experiment) -> None:
    manager = experiment.start()
    experiment.until_started(3)
    before = manager.experiment().revision
    manager.kill()
    experiment.go()
    experiment.until(lambda: sum(line[1] == "final" for line in experiment.lines("reported")) == 3)
    manager = experiment.starter.start(*RESUME)
    resumed = manager.resume()
    assert resumed.revision > before and not resumed.HasField("end_time")
    assert manager.until("DONE", "ERROR") == "DONE"
    experiment.check(manager, 6)
    assert {trial.status for trial in manager.trials()} == {trial_pb2.Trial.STATUS_SUCCEEDED}
    manager.stop()
    experiment.until(lambda: not experiment.processes(), 10)
