"""One record with many writers, readers and copies at the same time, while a writer is killed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

from nni_client.record_copy import copy_record
from nni_manager.engine.effects import SaveExperiment, SaveTrial
from nni_manager.engine.records import ExperimentRecord, MetricRecord
from nni_manager.engine.statuses import ExperimentStatus
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.storage import metric, results, trial

WRITERS = 64
ROUNDS = 2
KILLED = """
import itertools, sys
from pathlib import Path
from nni_manager.engine.effects import SaveTrial
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.storage import metric, results, trial
storage = open_sqlite_storage(Path(sys.argv[1]))
for number in itertools.count(1000):
    found = results(number, *(metric(number, index, 0.5) for index in range(2)))
    storage.commit([SaveTrial(trial(number)), found])
    print(number, flush=True)
"""


def write(path: Path, writer: int) -> None:
    """Commits some trials, each with two results in the same batch."""
    with closing(open_sqlite_storage(path)) as storage:
        for turn in range(ROUNDS):
            number = writer * ROUNDS + turn
            storage.commit([SaveTrial(trial(number)), results(number, *_two(number))])


def read(path: Path, is_over: Event) -> int:
    """Reads as the page does until told to end, and returns how many trials it saw at last."""
    seen = 0
    with closing(open_sqlite_storage(path, read_only=True)) as storage:
        while True:
            last_time = is_over.is_set()
            trials = storage.trials(limit=10**6)
            assert len(trials) >= seen, "a trial was seen and then not"
            assert all(stored.intermediate_count == 2 for stored in trials), "half a batch was seen"
            seen = len(trials)
            if last_time:
                return seen


def copy(path: Path, folder: Path, is_over: Event) -> int:
    """Copies the record again and again, and returns how many copies were whole."""
    count = 0
    while not is_over.is_set() or not count:
        target = folder / f"{count}.sqlite"
        copy_record(path, target)
        with closing(sqlite3.connect(target)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            (trials,) = connection.execute("SELECT count(*) FROM trials").fetchone()
            (metrics,) = connection.execute("SELECT count(*) FROM metrics").fetchone()
        assert metrics == 2 * trials, "a copy has half a batch"
        assert trials > 0, "a copy lacks what was there before it was begun"
        count += 1
    return count


def test_nothing_is_lost_locked_or_half_there(tmp_path: Path) -> None:
    """Row 211: many writers, a reader, copies, and a writer that is killed while it commits."""
    path = tmp_path / "db" / "experiment.sqlite"
    experiment = ExperimentRecord("mine", ExperimentStatus.RUNNING, {"a": 1}, "maximize", 1.0)
    with closing(open_sqlite_storage(path)) as storage:
        storage.commit([SaveExperiment(experiment)])
    is_over = Event()
    with (
        subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE) as killed,
        ThreadPoolExecutor(WRITERS + 2) as pool,
    ):
        assert killed.stdout is not None
        told = [killed.stdout.readline()]
        reader = pool.submit(read, path, is_over)
        copier = pool.submit(copy, path, tmp_path, is_over)
        try:
            writers = [pool.submit(write, path, writer) for writer in range(WRITERS)]
            told.append(killed.stdout.readline())
            killed.send_signal(signal.SIGKILL)
            told += killed.stdout.readlines()
            for writer in writers:
                writer.result()
        finally:
            is_over.set()
        seen, copies = reader.result(), copier.result()
    acknowledged = {int(line) for line in told if line.endswith(b"\n")}
    with closing(open_sqlite_storage(path)) as storage:
        numbers = {stored.record.sequence_number for stored in storage.trials(limit=10**6)}
        metrics = len(storage.metrics(limit=10**6))
    assert acknowledged <= numbers, "what was acknowledged is lost"
    assert set(range(WRITERS * ROUNDS)) <= numbers
    assert (metrics, seen) == (2 * len(numbers), len(numbers)) and copies


def _two(number: int) -> list[MetricRecord]:
    return [metric(number, index, 0.5) for index in range(2)]
