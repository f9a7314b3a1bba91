"""Times importing the configuration classes, and loading and checking a file, each in a process of its own.

    .venv/bin/python tools/benchmark_config.py [--runs 20] [--options 20000]

Each number is a median over the runs, which take turns so that a busy moment of the machine hits all alike.
CPU is what the process used (user and system); it depends less on what else runs than the time that passed.
"Beyond the import" is the difference to the process of the same turn that only imports. The last column
compares with a process that imports pydantic and makes one model, which no configuration can do without.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

TYPICAL = """\
experimentName: mnist
searchSpace:
  batch_size: {_type: choice, _value: [16, 32, 64, 128]}
  hidden_size: {_type: randint, _value: [64, 1024]}
  lr: {_type: loguniform, _value: [0.0001, 0.1]}
  momentum:
    _type: uniform
    _value: [0, 1]
trialCommand: python3 mnist.py
trialCodeDirectory: .
trialConcurrency: 2
maxTrialNumber: 100
maxExperimentDuration: 1h
tuner:
  name: TPE
  classArgs:
    optimize_mode: maximize
trainingService:
  platform: local
"""
_IMPORT = "from nni.experiment import ExperimentConfig"
_LOAD = f"{_IMPORT}; import sys; ExperimentConfig.load(sys.argv[1]).validate()"
_MODEL = "import pydantic\nclass Model(pydantic.BaseModel):\n    x: int = 1\nModel(x=2)"
_REFERENCE = "import pydantic, with one model"


@dataclass(frozen=True, slots=True)
class Case:
    """What one process does.

    Attributes:
        name: What is said about it.
        code: The Python code.
        file: What the code finds as its argument.
        base: The case that it is compared with, "" for none.
    """

    name: str
    code: str
    file: str = ""
    base: str = ""


@dataclass(frozen=True, slots=True)
class Used:
    """What a process used, in milliseconds."""

    cpu: float
    wall: float

    def minus(self, other: Used) -> Used:
        """Returns what this one used more than the other."""
        return Used(self.cpu - other.cpu, self.wall - other.wall)


def large(options: int) -> str:
    """Returns the typical file with one more parameter of many options, each in a line of its own."""
    lines = "".join(f"    - option {number}\n" for number in range(options))
    return TYPICAL.replace(
        "searchSpace:\n", f"searchSpace:\n  many:\n    _type: choice\n    _value:\n{lines}"
    )


def cases(options: int) -> list[Case]:
    """Returns what is measured."""
    return [
        Case("Python alone", "pass"),
        Case(_REFERENCE, _MODEL),
        Case("import ruamel.yaml", "import ruamel.yaml"),
        Case("import nni.experiment", "import nni.experiment"),
        Case(_IMPORT, _IMPORT),
        Case("load and check a typical file", _LOAD, TYPICAL),
        Case("the same, beyond the import", _LOAD, TYPICAL, _IMPORT),
        Case(f"{options:,} options, beyond the import", _LOAD, large(options), _IMPORT),
    ]


def run(case: Case, path: Path) -> Used:
    """Runs a case in a process of its own.

    Raises:
        SystemExit: It failed.
    """
    path.write_text(case.file)
    started = time.perf_counter()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    # Compiled once for all runs, as it is where the packages are installed.
    environment["PYTHONPYCACHEPREFIX"] = str(path.parent)
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", case.code, str(path)], environment)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    if status != 0:
        raise SystemExit(f"failed: {case.name}")
    return Used(1000 * (usage.ru_utime + usage.ru_stime), 1000 * wall)


def measure(runs: int, options: int) -> list[tuple[str, Used]]:
    """Returns the median of each case."""
    measured: dict[str, list[Used]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "experiment.yml")
        # The first run of each fills caches and is not counted.
        for turn in range(runs + 1):
            of_turn: dict[str, Used] = {}
            for case in cases(options):
                used = run(case, path)
                of_turn[case.name] = used.minus(of_turn[case.base]) if case.base else used
            if turn > 0:
                for name, used in of_turn.items():
                    measured.setdefault(name, []).append(used)
    return [
        (name, Used(statistics.median(u.cpu for u in each), statistics.median(u.wall for u in each)))
        for name, each in measured.items()
    ]


def table(medians: list[tuple[str, Used]]) -> str:
    """Returns the numbers as text."""
    reference = dict(medians)[_REFERENCE].cpu
    width = max(len(name) for name, _ in medians)
    lines = [f"{'':{width}}  CPU ms  wall ms  CPU / pydantic"]
    lines += [
        f"{name:{width}}  {used.cpu:6.0f}  {used.wall:7.0f}  {used.cpu / reference:14.2f}"
        for name, used in medians
    ]
    return "\n".join(lines)


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="how many processes for each line (20)")
    parser.add_argument("--options", type=int, default=20_000, help="options in the large file (20000)")
    options = parser.parse_args()
    print(table(measure(options.runs, options.options)))


if __name__ == "__main__":
    main()
