"""How soon all is told of a host that was cut off for a while."""

from __future__ import annotations

import time
from pathlib import Path

from nni.experiment import Experiment

from workspace.lab import Laboratory
from workspace.launch import ToolError
from workspace.remote_benchmark.experiments import configuration, on, running
from workspace.remote_benchmark.speed import Rows

_REPORTING = """\
import time
import nni
nni.get_next_parameter()
for step in range(100000):
    nni.report_intermediate_result({"default": step, "at": time.time()})
    time.sleep(0.1)
"""

_PATIENCE = 180.0


def recovery(lab: Laboratory, folder: Path, seconds: float) -> Rows:
    """Cuts a host off while a trial reports ten times a second.

    Args:
        lab: The hosts.
        folder: An empty folder.
        seconds: How long the host is cut off.

    Raises:
        ToolError: A value is lost, doubled or out of order, or nothing came any more.
    """
    host = lab.hosts["gpu-b"]
    with running(configuration(on([host]), folder / "recovery", _REPORTING, 1, 1)) as (experiment, _):
        _wait_for_value_of(experiment, time.time())
        with host.cut_off():
            time.sleep(seconds)
        restored = time.time()
        _wait_for_value_of(experiment, restored)
        took = time.time() - restored
        steps = [value["default"] for value in _values(experiment)]
    if steps != list(range(len(steps))):
        raise ToolError(f"values were lost, doubled or changed places: {steps}")
    return [
        (f"cut off for {seconds:g} s: until all is told after that", f"{took:.1f} s"),
        ("values told meanwhile, once and in order", "all"),
    ]


def _wait_for_value_of(experiment: Experiment, moment: float) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not any(value["at"] >= moment for value in _values(experiment)[-50:]):
        if time.monotonic() > deadline:
            raise ToolError(f"nothing was told any more for {_PATIENCE:g} s")
        time.sleep(0.05)


def _values(experiment: Experiment) -> list[dict[str, float]]:
    metrics = experiment.get_job_metrics()
    return [metric.data for trial in metrics.values() for metric in trial]
