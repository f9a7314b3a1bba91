"""The simulated experiment, and what is measured of it.

python -m workspace.simulate.story TRIALS CONCURRENCY
"""

from __future__ import annotations

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from nni_manager.engine.effects import SaveExperiment
from nni_manager.engine.engine import Engine
from nni_manager.engine.limits import Limits
from nni_manager.engine.records import ExperimentRecord
from nni_manager.engine.statuses import ExperimentStatus, MetricKind
from nni_manager.experiments import runner as runner_module
from nni_manager.experiments.algorithm_history import tuner_history
from nni_manager.experiments.folder import ExperimentFolder, make_folder
from nni_manager.experiments.performer import Performer
from nni_manager.experiments.runner import ExperimentRunner
from nni_manager.storage.interface import Storage
from nni_manager.storage.restoring import restored_experiment
from nni_manager.storage.sqlite import open_sqlite_storage

from workspace.launch import run
from workspace.progress import table
from workspace.simulate.world import TunerInProcess, VirtualClock, VirtualTrials

_SEED = 1
_SPACE = {
    "x": {"_type": "uniform", "_value": [0, 1]},
    "batch_size": {"_type": "choice", "_value": [16, 32, 64]},
    "lr": {"_type": "loguniform", "_value": [1e-5, 1]},
}
_CONFIG = {"experimentName": "simulated", "searchSpace": _SPACE, "trialCommand": "python train.py --epochs 5"}
_SAMPLES = 50


class Simulation:
    """An experiment with everything around it.

    Attributes:
        memory: The memory of this process as trials ended: how many had, bytes.
    """

    def __init__(self, folder: Path, trials: int, concurrency: int) -> None:
        """Makes the record of the experiment."""
        clock = self.clock = VirtualClock()
        runner_module.time = clock  # type: ignore[assignment, attr-defined]
        place = ExperimentFolder(folder / "simulated")
        make_folder(place)
        self.database = place.database
        self.storage: Storage = open_sqlite_storage(self.database)
        record = ExperimentRecord("simulated", ExperimentStatus.INITIALIZED, _CONFIG, "maximize", clock.now)
        self.storage.commit([SaveExperiment(record)])
        limits = Limits(concurrency, max_trial_number=trials, max_trial_retries=2)
        self.engine = Engine(record, limits)
        self.runner = ExperimentRunner(record, self.storage, place)
        self.training = VirtualTrials(self.runner.queue.put, clock, _SEED)
        self.tuner = TunerInProcess(self.runner.queue.put, clock, _SPACE, _SEED)
        self.memory: list[tuple[int, int]] = []
        self._step = max(1, trials // _SAMPLES)

    async def go(self) -> None:
        """Runs the experiment to its end."""
        performer = Performer(self.training, self.tuner, None, lambda trial_id: {}, lambda: None)
        await self.runner.start(self.engine, self.engine.start(self.clock.now), performer)
        while not self.runner.has_ended:
            self.training.pass_time()
            await self.runner.catch_up()
            ended = self.engine.state.created_count - len(self.engine.state.active)
            if not self.memory or ended >= self.memory[-1][0] + self._step:
                self.memory.append((ended, psutil.Process().memory_info().rss))
                if sys.stdout.isatty():
                    print(f"\r\033[K{ended:,} trials", end="", flush=True)
        await self.runner.close()


def story(folder: Path, trials: int, concurrency: int) -> int:
    """Runs the experiment and prints what it took; returns the exit code."""
    simulation = Simulation(folder, trials, concurrency)
    began, used = time.monotonic(), time.process_time()
    asyncio.run(simulation.go())
    seconds, cpu = time.monotonic() - began, time.process_time() - used
    peak = peak_memory()
    storage, training = simulation.storage, simulation.training
    began = time.monotonic()
    restored_experiment(storage)
    restoring = time.monotonic() - began
    began = time.monotonic()
    entries = sum(1 for _ in tuner_history(storage).entries)
    reading = time.monotonic() - began
    counts = storage.trial_counts()
    problems = problems_of(storage, trials, training.reported)
    storage.close()
    rows = [
        ("experiment", simulation.runner.record.status.value),
        ("trials", f"{sum(counts.values()):,}"),
        *((f"  {status.value.lower()}", f"{count:,}") for status, count in sorted(counts.items())),
        ("attempts", f"{training.attempts:,}"),
        ("results", f"{training.reported:,}"),
        ("time simulated (hours)", f"{simulation.runner.record.running_seconds / 3600:,.1f}"),
        ("time taken (s)", f"{seconds:,.1f}"),
        ("  of a processor (s)", f"{cpu:,.1f}"),
        ("  for each trial (ms)", f"{1000 * seconds / trials:.2f}"),
        ("size of the record (MiB)", f"{simulation.database.stat().st_size / 2**20:.1f}"),
        ("  for each trial (bytes)", f"{simulation.database.stat().st_size / trials:,.0f}"),
        ("memory at the most (MiB)", f"{peak / 2**20:.1f}"),
        ("  growth for each trial (bytes)", f"{growth(simulation.memory):,.0f}"),
        ("reading what a resume needs (s)", f"{restoring:.2f}"),
        (f"reading {entries:,} entries of the tuner's history (s)", f"{reading:.2f}"),
    ]
    print(table([("", ""), *rows]))
    for problem in problems:
        print(problem)
    return 1 if problems or simulation.runner.record.status is not ExperimentStatus.DONE else 0


def problems_of(storage: Storage, trials: int, reported: int) -> list[str]:
    """Returns what is wrong with a record.

    Args:
        storage: The record.
        trials: How many trials there are to be.
        reported: How many results were reported.
    """
    problems = []
    counts = storage.trial_counts()
    if sum(counts.values()) != trials or not all(status.is_final for status in counts):
        problems.append(f"{trials:,} trials were to end, and there are {counts}")
    seen: set[tuple[str, int, MetricKind, int]] = set()
    row = stored = 0
    while page := storage.metrics(after_row=row):
        row = page[-1].row
        stored += len(page)
        seen.update((m.record.trial_id, m.record.attempt, m.record.kind, m.record.index) for m in page)
    if stored != reported or len(seen) != stored:
        problems.append(f"{reported:,} results were reported, {stored:,} stored, {len(seen):,} different")
    return problems


def peak_memory() -> int:
    """Returns how many bytes of memory this process had at the most."""
    if sys.platform == "linux":
        # Not ru_maxrss, which is that of the process that started this one if that was larger.
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def growth(memory: Sequence[tuple[int, int]]) -> float:
    """Returns how many bytes the memory grew for each trial, once a fifth of the trials had ended."""
    later = [sample for sample in memory if sample[0] >= memory[-1][0] / 5]
    (first, first_bytes), (last, last_bytes) = later[0], later[-1]
    return (last_bytes - first_bytes) / max(1, last - first)


def main(arguments: Sequence[str]) -> int:
    """Runs the command line and returns its exit code."""
    trials, concurrency = (int(word) for word in arguments)
    with tempfile.TemporaryDirectory(prefix="nni-simulate-") as folder:
        return story(Path(folder), trials, concurrency)


if __name__ == "__main__":
    run("workspace.simulate.story")
