"""Runs the benchmark's experiment with each interpreter and prints what it took as a table.

python -m workspace.benchmark.measure TRIALS CONCURRENCY PYTHON [PYTHON]
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from workspace.benchmark import MARK
from workspace.benchmark.sampling import Sampler
from workspace.launch import ToolError, run
from workspace.progress import table

HERE = Path(__file__).resolve().parent
_SECONDS_PER_TRIAL = 15
_MIB = 2**20


@dataclass(frozen=True)
class Measured:
    """One experiment's numbers: a name for its column, and a value by measure."""

    name: str
    values: dict[str, float]


def measure(python: str, trials: int, concurrency: int) -> Measured:
    """Runs one experiment.

    Args:
        python: The interpreter that has the SDK and the client.
        trials: How many trials.
        concurrency: How many at a time.

    Raises:
        ToolError: The experiment failed, or not every trial ran.
    """
    with tempfile.TemporaryDirectory(prefix="nni-benchmark-") as name:
        folder = Path(name)
        bare = bare_milliseconds(python, trials, concurrency, folder / "bare.txt")
        mark = uuid.uuid4().hex
        with Sampler(mark) as sampler:
            began, ended = _run_subject(python, trials, concurrency, folder, mark)
        _end_leftovers(sampler)
        result = json.loads((folder / "result.json").read_text())
        first, last = span(folder / "trials.txt", trials)
    before, after = _cpu_at(sampler, first), _cpu_at(sampler, last)
    whole = sampler.cpu[-1][1]

    def per_trial(purpose: str) -> float:
        return 1000 * (after.get(purpose, 0.0) - before.get(purpose, 0.0)) / trials

    wall = 1000 * (last - first) / trials
    return Measured(
        f"nni {result['version']}",
        {
            "start to the first trial's first line (s)": first - result["called"],
            "wall time per trial (ms)": wall,
            "the same script without the SDK (ms)": bare,
            "wall time per trial above that (ms)": wall - bare,
            "whole run, the script's start to end (s)": ended - began,
            "manager CPU per trial (ms)": per_trial("manager"),
            "tuner CPU per trial (ms)": per_trial("tuner"),
            "courier CPU per trial (ms)": per_trial("courier"),
            "CPU of all but the trials, whole run (s)": sum(whole.values()),
            "peak memory of the manager (MiB PSS)": sampler.peak_pss["manager"] / _MIB,
            "peak memory of all but the trials (MiB PSS)": sampler.peak_pss["all"] / _MIB,
        },
    )


def report(columns: Sequence[Measured]) -> str:
    """Returns the table of one or two experiments; with two, how many times the first's the second's are."""
    rows = [["", *(column.name for column in columns), *(["ratio"] if len(columns) == 2 else [])]]
    for name in columns[0].values:
        values = [column.values[name] for column in columns]
        ratio = [f"{values[1] / values[0]:.1f}" if values[0] > 0 else "-"] if len(values) == 2 else []
        rows.append([name, *(f"{value:,.2f}" for value in values), *ratio])
    return table(rows)


def _run_subject(python: str, trials: int, concurrency: int, folder: Path, mark: str) -> tuple[float, float]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [python, str(HERE / "subject.py"), str(folder), str(port), str(trials), str(concurrency)]
    # The trials must find the SDK of their own interpreter; the home folder must not fill with runs.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    variables |= {MARK: mark, "HOME": str(folder)}
    began = time.time()
    output = folder / "output.txt"
    with output.open("w") as file:
        try:
            code = subprocess.run(
                command,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                timeout=60 + _SECONDS_PER_TRIAL * trials,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise ToolError(f"{shlex.join(command)} took too long:\n{output.read_text()}") from error
    if code != 0:
        raise ToolError(f"{shlex.join(command)} ended with exit code {code}:\n{output.read_text()}")
    return began, time.time()


def bare_milliseconds(python: str, trials: int, concurrency: int, times: Path) -> float:
    """Returns the milliseconds per script when only bash and the script run, as many at a time."""
    command = ["/bin/bash", "-c", f"{python} noop.py {times} bare"]
    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(lambda _: subprocess.run(command, cwd=HERE, check=True), range(trials)))
    first, last = span(times, trials)
    return 1000 * (last - first) / trials


def span(times: Path, trials: int) -> tuple[float, float]:
    """Returns when the first script began and when the last one ended."""
    lines = [line.split() for line in times.read_text().splitlines()]
    first = [float(value) for word, value in lines if word == "first"]
    last = [float(value) for word, value in lines if word == "last"]
    if not len(first) == len(last) == trials:
        raise ToolError(f"{trials} trials were asked for, {len(first)} began and {len(last)} ended well")
    return min(first), max(last)


def _cpu_at(sampler: Sampler, moment: float) -> dict[str, float]:
    return min(sampler.cpu, key=lambda sample: abs(sample[0] - moment))[1]


def _end_leftovers(sampler: Sampler) -> None:
    left = sampler.living()
    for process in psutil.wait_procs(left, timeout=5)[1]:
        print(f"left behind and ended: {process.pid} {process.cmdline()}", file=sys.stderr)
        process.kill()


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    trials, concurrency = int(arguments[0]), int(arguments[1])
    columns = []
    for python in arguments[2:]:
        print(f"running {trials} trials, {concurrency} at a time, with {python}")
        columns.append(measure(python, trials, concurrency))
    print("\n" + report(columns))
    return 0


if __name__ == "__main__":
    run("workspace.benchmark.measure")
