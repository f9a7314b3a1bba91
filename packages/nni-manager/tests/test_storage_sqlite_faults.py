from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from nni_manager.engine.effects import SaveTrial
from nni_manager.storage.interface import StorageError
from nni_manager.storage.sqlite import files, open_sqlite_storage
from nni_manager.testing.faulty_storage import FaultyStorage
from nni_manager.testing.storage import metric, results, trial

WRITING = """
import sys
from pathlib import Path
from nni_manager.engine.effects import SaveTrial
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.storage import metric, results, trial
storage = open_sqlite_storage(Path(sys.argv[1]))
while True:
    step = storage.revision()
    pair = [SaveTrial(trial(2 * step)), SaveTrial(trial(2 * step + 1))]
    found = results(2 * step, *(metric(2 * step, index, 0.5) for index in range(20)), offset=step, r=19)
    print(storage.commit([*pair, found]), flush=True)
"""

LIMITED = """
import json, resource, sys
from pathlib import Path
from nni_manager.engine.effects import SaveTrial
from nni_manager.storage.interface import StorageError
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.storage import metric, results, trial
storage = open_sqlite_storage(Path(sys.argv[1]))
storage.commit([SaveTrial(trial(0))])
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
errors = []
stored = 0
while not errors:
    found = [metric(0, stored + index, "x" * 1000) for index in range(100)]
    try:
        storage.commit([SaveTrial(trial(stored + 1)), results(0, *found, offset=stored, r=stored)])
        stored += 100
    except StorageError as error:
        errors.append(str(error))
position = storage.report_position("t0000", 0)
full = [len(storage.metrics(limit=10**6)), len(storage.trials()), position.end_offset]
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
revision = storage.revision()
after = storage.commit([results(0, *found, offset=stored, r=stored)])
print(json.dumps([errors, stored, full, after - revision, len(storage.metrics(limit=10**6))]))
storage.close()
"""


def killed_while_writing(path: Path, revisions: int) -> int:
    """Starts a writer, kills it once it told so many revisions, and returns the last it told."""
    with subprocess.Popen([sys.executable, "-c", WRITING, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(revisions)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL
    return max(int(line) for line in told if line.endswith(b"\n"))


@pytest.mark.parametrize("kills", [4, pytest.param(12, marks=pytest.mark.slow)])
def test_what_was_acknowledged_survives_a_kill_and_nothing_is_half_there(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "experiment.sqlite"
    chance = random.Random(kills)
    for _ in range(kills):
        told = killed_while_writing(path, chance.randint(1, 60))
        storage = open_sqlite_storage(path)
        revision = storage.revision()
        assert told <= revision <= told + 1
        assert sum(storage.trial_counts().values()) == 2 * revision
        assert len(storage.trials(limit=10**6)) == 2 * revision
        assert len(storage.metrics(limit=10**6)) == 20 * revision
        last = storage.report_position(f"t{2 * (revision - 1):04d}", 0)
        assert (last.intermediate_count, last.reporter_numbers, last.end_offset) == (
            20,
            {"r": 19},
            revision - 1,
        )
        storage.close()


def test_a_full_disk_refuses_a_batch_and_later_ones_work_again(tmp_path: Path) -> None:
    path = tmp_path / "experiment.sqlite"
    done = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    errors, stored, full, risen, metrics = json.loads(done.stdout)
    assert f"{path}: cannot store a batch: " in errors[0]
    assert "disk" in errors[0]
    assert stored > 0
    assert full == [stored, 1 + stored // 100, stored - 100]
    assert risen == 1
    assert metrics == stored + 100
    storage = open_sqlite_storage(path)
    assert len(storage.metrics(limit=10**6)) == metrics
    storage.close()


def test_another_writer_is_waited_for_and_then_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_WAIT_SECONDS", 0.05)
    path = tmp_path / "experiment.sqlite"
    storage = open_sqlite_storage(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match=r"experiment\.sqlite: cannot store a batch: .*locked"):
        storage.commit([SaveTrial(trial(0))])
    assert storage.trials() == []
    other.execute("ROLLBACK")
    assert storage.commit([SaveTrial(trial(0))]) == 1
    other.close()
    storage.close()


def test_two_storages_of_one_file_lose_nothing(tmp_path: Path) -> None:
    storages = [open_sqlite_storage(tmp_path / "experiment.sqlite") for _ in range(2)]

    def write(which: int) -> None:
        for number in range(which, 60, 2):
            storages[which].commit([SaveTrial(trial(number)), results(number, metric(number, 0, 1))])

    threads = [threading.Thread(target=write, args=(which,)) for which in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [stored.row for stored in storages[0].metrics()] == list(range(1, 61))
    assert storages[1].revision() == 60
    for storage in storages:
        storage.close()


def test_a_faulty_storage_fails_at_the_chosen_commits_only(tmp_path: Path) -> None:
    storage = FaultyStorage(open_sqlite_storage(tmp_path / "experiment.sqlite"), failing_commits={2})
    assert storage.commit([SaveTrial(trial(0))]) == 1
    with pytest.raises(StorageError, match="full"):
        storage.commit([SaveTrial(trial(1))])
    assert storage.commit([SaveTrial(trial(2))]) == 2
    assert [stored.record.sequence_number for stored in storage.trials()] == [0, 2]
    storage.close()
