"""Runs one experiment by the public interface, and watches what it costs."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from nni.experiment import Experiment
from nni.experiment.config import (
    AlgorithmConfig,
    ExperimentConfig,
    LocalConfig,
    RemoteConfig,
    RemoteMachineConfig,
    TrainingServiceConfig,
)

from workspace.lab import Host
from workspace.launch import ToolError

NOOP = "import nni\nnni.report_final_result(nni.get_next_parameter()['x'])\n"
"""A trial that does nothing."""

LOOP = """\
import nni
while (parameters := nni.get_next_parameter()) is not None:
    nni.report_final_result(parameters["x"])
"""
"""A script that takes one such trial after another, in reuse mode."""

_LONGEST = 900.0


@dataclass(frozen=True)
class Ran:
    """What an experiment took.

    Attributes:
        seconds: From the start of the first trial to the end of the last.
        to_first: From the call of start() to the start of the first trial.
        to_all: From the call of start() until as many trials ran as may run at a time.
        manager_cpu: Processor seconds of the manager while trials ran.
    """

    seconds: float
    to_first: float
    to_all: float
    manager_cpu: float


def on(hosts: Sequence[Host], *, reuse: bool = False) -> RemoteConfig:
    """Returns the training service of some hosts."""
    machines = [RemoteMachineConfig(**host.machine()) for host in hosts]
    return RemoteConfig(machine_list=machines, reuse_mode=reuse)


def here(*, reuse: bool = False) -> LocalConfig:
    """Returns the training service of this machine."""
    return LocalConfig(reuse_mode=reuse)


def configuration(
    service: TrainingServiceConfig, folder: Path, script: str, trials: int, concurrency: int
) -> ExperimentConfig:
    """Returns an experiment of a script.

    Args:
        service: Where it runs.
        folder: The code folder; the script becomes its trial.py.
        script: The trial.
        trials: How many.
        concurrency: How many at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trial.py").write_text(script)
    config = ExperimentConfig(training_service=service)
    config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
    config.trial_command = "python3 trial.py"
    config.trial_code_directory = folder
    config.trial_concurrency = concurrency
    config.max_trial_number = trials
    config.tuner = AlgorithmConfig(name="Random")
    return config


def run(config: ExperimentConfig) -> Ran:
    """Runs an experiment to its end.

    Raises:
        ToolError: Not every trial succeeded.
    """
    with running(config) as (experiment, called):
        manager = manager_of_this_process()
        before = _cpu(manager)
        deadline = time.monotonic() + _LONGEST
        while experiment.get_status() not in ("DONE", "STOPPED", "ERROR") and time.monotonic() < deadline:
            time.sleep(0.1)
        after = _cpu(manager)
        trials = experiment.list_trial_jobs()
    if [trial.status for trial in trials] != ["SUCCEEDED"] * (config.max_trial_number or 0):
        raise ToolError(f"not every trial succeeded: {[trial.status for trial in trials]}")
    starts = sorted((trial.startTime or 0) / 1000 for trial in trials)
    last = max((trial.endTime or 0) / 1000 for trial in trials)
    at_a_time = min(config.trial_concurrency or 1, len(starts))
    return Ran(last - starts[0], starts[0] - called, starts[at_a_time - 1] - called, after - before)


@contextlib.contextmanager
def running(config: ExperimentConfig) -> Iterator[tuple[Experiment, float]]:
    """Runs an experiment while the body runs; gives it with the time at which start() was called.

    Raises:
        ToolError: It did not start.
    """
    experiment = Experiment(config)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        called = time.time()
        try:
            experiment.start(0)
        except (RuntimeError, ValueError) as error:
            raise ToolError(f"the experiment did not start: {error}\n{said.getvalue()}") from error
    try:
        yield experiment, called
    finally:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            experiment.stop()


def manager_of_this_process() -> psutil.Process:
    """Returns the manager that this process has started.

    Raises:
        ToolError: There is none.
    """
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("HOME") == str(Path.home()) and "nni_manager" in process.cmdline():
                return process
    raise ToolError("there is no manager")


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
