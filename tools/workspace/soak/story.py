"""The experiment, who kills its processes, and what is checked at the end.

python -m workspace.soak.story MINUTES CONCURRENCY SECONDS_FROM_KILL_TO_KILL
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from nni.experiment import Experiment
from nni.experiment.data import TrialJob

from workspace.benchmark import MARK
from workspace.benchmark.sampling import Sampler, role
from workspace.launch import run
from workspace.marked import marked_processes, others, wait_until
from workspace.progress import table

_KINDS = ("courier", "runner", "trial")
"""What is killed."""

RESULTS = 6
"""How many results a trial reports (trial.py)."""

_SECONDS_TO_END = 2.0
"""A process that has done its work may take a moment to be gone."""

_SECONDS_TO_WARM_UP = 20.0


def story(folder: Path, minutes: float, concurrency: int, pause: float) -> int:
    """Runs the experiment and prints what came of it; returns the exit code."""
    experiment = _experiment(folder, minutes, concurrency)
    killed: Counter[str] = Counter()
    ended = threading.Event()
    mark = os.environ[MARK]
    with Sampler(mark) as sampler:
        experiment.start(0)
        killer = threading.Thread(target=_kill, args=(mark, pause, killed, ended))
        killer.start()
        memory = _wait(experiment, sampler)
        ended.set()
        killer.join()
    status = experiment.get_status()
    trials = experiment.list_trial_jobs()
    wrong = _wrong(experiment, trials)
    experiment.stop()
    wait_until(lambda: not others(mark), _SECONDS_TO_END)
    left = others(mark)
    (first_count, first_bytes), (last_count, last_bytes) = memory[0], memory[-1]
    growth = (last_bytes - first_bytes) / max(1, last_count - first_count)
    rows = [
        ("experiment", status),
        ("trials", f"{len(trials):,}"),
        *((f"  {name.lower()}", f"{count:,}") for name, count in Counter(t.status for t in trials).items()),
        *((f"{kind}s killed", f"{count:,}") for kind, count in sorted(killed.items())),
        ("trials with results lost, doubled or out of order", f"{len(wrong):,}"),
        ("processes left", f"{len(left):,}"),
        ("memory of the manager at the end (MiB PSS)", f"{last_bytes / 2**20:.1f}"),
        ("growth of its memory per trial (bytes)", f"{growth:,.0f}"),
    ]
    print(table([("", ""), *rows]))
    for line in wrong[:10]:
        print(line)
    for process in left:
        print(f"left: {process}")
    return 0 if status == "DONE" and not wrong and not left else 1


def _experiment(folder: Path, minutes: float, concurrency: int) -> Experiment:
    experiment = Experiment("local")
    config = experiment.config
    config.experiment_name = "soak"
    config.experiment_working_directory = folder
    config.trial_concurrency = concurrency
    config.max_experiment_duration = f"{60 * minutes}s"
    config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
    config.trial_command = f"exec {sys.executable} {Path(__file__).with_name('trial.py')}"
    config.trial_code_directory = folder
    config.tuner.name = "Random"
    config.training_service.reuse_mode = True
    return experiment


def _kill(mark: str, pause: float, killed: Counter[str], ended: threading.Event) -> None:
    """Kills a process of a random kind now and then."""
    while not ended.wait(random.uniform(0.5, 1.5) * pause):
        kind = random.choice(_KINDS)
        found = [each.pid for each in marked_processes(mark) if each.kind == kind]
        if found:
            with suppress(ProcessLookupError):
                os.kill(random.choice(found), signal.SIGKILL)
                killed[kind] += 1


def _wait(experiment: Experiment, sampler: Sampler) -> list[tuple[int, float]]:
    """Waits for the end; returns how many trials there were and the manager's memory, as time went by."""
    memory: list[tuple[int, float]] = []
    began = time.monotonic()
    while experiment.get_status() in ("INITIALIZED", "RUNNING", "NO_MORE_TRIAL", "TUNER_NO_MORE_TRIAL"):
        time.sleep(2)
        count = sum(entry["trialJobNumber"] for entry in experiment.get_job_statistics())
        if time.monotonic() - began > _SECONDS_TO_WARM_UP or not memory:
            memory.append((count, _manager_bytes(sampler)))
        if sys.stdout.isatty():
            print(f"\r\033[K{count:,} trials", end="", flush=True)
    return memory


def _manager_bytes(sampler: Sampler) -> float:
    for process in sampler.living():
        try:
            if role(" ".join(process.cmdline()) + " ") == "manager":
                return float(process.memory_full_info().pss)
        except psutil.Error:
            continue
    return 0.0


def _wrong(experiment: Experiment, trials: Sequence[TrialJob]) -> list[str]:
    """Returns a line for each trial whose record is not what its reports say."""
    metrics = experiment.get_job_metrics()
    wrong = []
    for trial in trials:
        recorded = [int(metric.data) for metric in metrics.get(trial.trialJobId, [])]
        notes = Path(trial.logPath, "returned.txt")
        returned = [int(line) for line in notes.read_text().split()] if notes.exists() else []
        if not is_right(trial.status, returned, recorded):
            wrong.append(f"{trial.trialJobId} ({trial.status}): reported {returned}, recorded {recorded}")
    return wrong


def is_right(status: str, returned: Sequence[int], recorded: Sequence[int]) -> bool:
    """Returns whether a trial's record is what its reports say.

    Args:
        status: How the trial ended.
        returned: What it noted after a report had returned; a trial that was killed may have reported one
            more.
        recorded: Its results in the record, in order.
    """
    if status == "SUCCEEDED" and len(returned) != RESULTS:
        return False
    expected = list(range(len(returned)))
    return list(returned) == expected and list(recorded) in (expected, [*expected, len(expected)])


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    minutes, concurrency, pause = float(arguments[0]), int(arguments[1]), float(arguments[2])
    with tempfile.TemporaryDirectory(prefix="nni-soak-") as folder:
        return story(Path(folder), minutes, concurrency, pause)


if __name__ == "__main__":
    run("workspace.soak.story")
