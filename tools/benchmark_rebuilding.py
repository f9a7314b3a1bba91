"""Times how a tuner's process is made anew out of a record with many finished trials.

    .venv/bin/python tools/benchmark_rebuilding.py [10000 50000]

Each row has the seconds until the engine and the tuner are where they were, the processor time of both
processes for that, the seconds of the tuner's first suggestion afterwards, how much more memory this process
(the manager's part) had at the peak, and the memory of the tuner's process.
tools/benchmark_tuners.py prints the same rows for 10,000 trials.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from nni_manager.algorithms.tuners.random import RandomTuner
from nni_manager.engine.effects import (
    RequestParameters,
    SaveExperiment,
    SaveTrial,
    SaveTunerNotes,
    Write,
)
from nni_manager.engine.events import AlgorithmFailed, ParametersProposed
from nni_manager.engine.records import ExperimentRecord, TrialRecord, TunerNote
from nni_manager.engine.statuses import ExperimentStatus, ParameterSource, TrialStatus, TunerNoteKind
from nni_manager.experiments.algorithm_history import tuner_history
from nni_manager.experiments.arranged_notes import Outline
from nni_manager.storage.interface import Storage
from nni_manager.storage.restoring import restored_experiment
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.tuning.algorithm_process import AlgorithmProcess
from nni_manager.tuning.interface import AlgorithmSettings, History

FLOATS = {f"x{number}": {"_type": "uniform", "_value": [0, 1]} for number in range(8)}
SPACE = {
    **FLOATS,
    "act": {"_type": "choice", "_value": ["relu", "tanh", "sigmoid"]},
    "layers": {"_type": "randint", "_value": [1, 10]},
}
FINITE = {name: {"_type": "randint", "_value": [0, 1000]} for name in "abcd"}
CUSTOM = """
from nni.tuner import Tuner
class My(Tuner):
    def update_search_space(self, search_space): pass
    def generate_parameters(self, parameter_id, **kwargs):
        return dict.fromkeys(["a", "b", "c", "d"], parameter_id % 1000)
    def receive_trial_result(self, parameter_id, parameters, value, **kwargs): pass
"""
_BATCH = 500


def fill(storage: Storage, space: dict[str, Any], trials: int, *, custom: bool) -> None:
    """Stores an experiment with so many finished trials, four of which ran at once."""
    source = RandomTuner(seed=1)
    source.update_search_space(space)
    config = {"searchSpace": space}
    record = ExperimentRecord("benchmrk", ExperimentStatus.RUNNING, config, "minimize", 0.0)
    writes: list[Write] = [SaveExperiment(record)]
    number = 0
    for index in range(trials):
        ids, trial_id = (index,), f"trial{index}"
        parameters: Any = dict.fromkeys("abcd", index % 1000) if custom else source.generate_parameters(index)
        trial = TrialRecord(
            trial_id,
            index,
            TrialStatus.SUCCEEDED,
            0,
            index,
            ParameterSource.ALGORITHM,
            parameters,
            0.0,
            has_final_result=True,
            final_result={"default": (index * 7919 % 1000) / 1000, "loss": 0.5},
        )
        notes = [
            TunerNote(TunerNoteKind.ASKED, number + 1, ids),
            TunerNote(TunerNoteKind.PROPOSED, 0, ids, trial_id),
            TunerNote(TunerNoteKind.FINAL_RESULT, number + 2, (), trial_id),
            TunerNote(TunerNoteKind.TRIAL_END, number + 3, (), trial_id),
        ]
        number += 3
        writes += [SaveTrial(trial), SaveTunerNotes(tuple(notes))]
        if index % _BATCH == 0:
            storage.commit(writes)
            writes = []
    storage.commit(writes)


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """Gives a list that gets the MiB by which this process grew at most."""
    process, over, peak = psutil.Process(), threading.Event(), [0.0]
    before = process.memory_info().rss

    def watch() -> None:
        while not over.wait(0.02):
            peak[0] = max(peak[0], (process.memory_info().rss - before) / 2**20)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def resumed_history(storage: Storage) -> History:
    """Returns the tuner's history, read as a resume reads it: with what the engine needs."""
    outline = Outline()
    restored_experiment(storage, outline.take)
    return tuner_history(storage, outline=outline)


async def rebuild(settings: AlgorithmSettings, storage: Storage) -> str:
    """Returns the numbers of a row, and how it went."""
    events: asyncio.Queue[Any] = asyncio.Queue()
    process = AlgorithmProcess(settings, events.put_nowait)
    try:
        with peak_memory() as peak:
            began, worked = time.perf_counter(), time.process_time()
            history = await asyncio.to_thread(resumed_history, storage)
            rebuilt = await process.start(history)
            seconds, here = time.perf_counter() - began, time.process_time() - worked
        assert rebuilt is not None
        tuner = psutil.Process(process.pid)
        there = sum(tuner.cpu_times()[:2])
        began = time.perf_counter()
        number = history.last_number + 1
        process.tell(RequestParameters(number, (number,)))
        while not isinstance(event := await events.get(), ParametersProposed):
            if isinstance(event, AlgorithmFailed):
                raise SystemExit(event.message)
        suggested = time.perf_counter() - began
        child = tuner.memory_info().rss / 2**20
        times = f"{seconds:9.2f}{here + there:9.2f}{suggested:11.2f}"
        return f"{times}{peak[0]:10.1f}{child:11.1f}  {rebuilt.way.value}"
    finally:
        await process.close()


def print_rebuilds(counts: list[int]) -> None:
    """Prints a row for every tuner and number of trials."""
    print("\nmaking a tuner anew out of a record (SQLite, a process of its own)")
    columns = f"{'seconds':>9}{'cpu s':>9}{'suggest s':>11}{'here MiB':>10}{'tuner MiB':>11}"
    print(f"{'tuner':12}{'trials':>8}{columns}  how")
    for name, space in (("TPE", SPACE), ("Random", FINITE), ("GridSearch", FINITE), ("custom", FINITE)):
        for count in counts:
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder)
                (place / "mine.py").write_text(CUSTOM)
                storage = open_sqlite_storage(place / "record.sqlite")
                fill(storage, space, count, custom=name == "custom")
                is_custom = name == "custom"
                settings = AlgorithmSettings(
                    kind="tuner",
                    name=None if is_custom else name,
                    class_name="mine.My" if is_custom else None,
                    code_directory=folder if is_custom else None,
                    class_args={"seed": 1} if name in ("TPE", "Random") else None,
                    search_space=space,
                    optimize_mode="minimize",
                    log_directory=place / "log",
                    checkpoint_directory=place / "checkpoint",
                    log_level="warning",
                )
                row = asyncio.run(rebuild(settings, storage))
                storage.close()
            print(f"{name:12}{count:8}{row}", flush=True)


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trials", type=int, nargs="*", default=[10_000, 50_000])
    print_rebuilds(parser.parse_args().trials)
    return 0


if __name__ == "__main__":
    sys.exit(main())
