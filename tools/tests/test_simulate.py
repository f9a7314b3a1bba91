from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from nni_manager.engine.effects import SaveTrial
from nni_manager.engine.statuses import TrialStatus
from nni_manager.storage.interface import Storage
from nni_manager.storage.memory import MemoryStorage
from nni_manager.testing.storage import metric, results, trial
from workspace.simulate import command, environment
from workspace.simulate.story import growth, problems_of


@pytest.fixture
def storage() -> Iterator[Storage]:
    storage = MemoryStorage()
    ended = [SaveTrial(trial(number, status=TrialStatus.SUCCEEDED)) for number in range(2)]
    storage.commit([*ended, results(0, metric(0, 0, 1), metric(0, 1, 1)), results(1, metric(1, 0, 1))])
    yield storage
    storage.close()


def test_a_record_that_is_whole_has_no_problems(storage: Storage) -> None:
    assert problems_of(storage, 2, 3) == []


def test_trials_that_lack_or_have_not_ended_are_problems(storage: Storage) -> None:
    assert "3 trials were to end" in problems_of(storage, 3, 3)[0]
    storage.commit([SaveTrial(trial(1, status=TrialStatus.RUNNING))])
    assert "2 trials were to end" in problems_of(storage, 2, 3)[0]


def test_results_that_lack_or_came_twice_are_problems(storage: Storage) -> None:
    assert problems_of(storage, 2, 4) == ["4 results were reported, 3 stored, 3 different"]
    storage.commit([results(0, metric(0, 1, 1))])
    assert problems_of(storage, 2, 4) == ["4 results were reported, 4 stored, 3 different"]


def test_growth_is_that_after_the_first_fifth() -> None:
    assert growth([(0, 1000), (10, 5000), (20, 6000), (60, 6400), (100, 6800)]) == 10


def test_a_short_simulation() -> None:
    words = command(sys.executable, ["400", "20"])
    done = subprocess.run(words, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines() if "  " in line.strip())
    rows = {name.strip(): value for name, value in rows.items()}
    assert (rows["experiment"], rows["trials"]) == ("DONE", "400")
    assert int(rows["succeeded"]) + int(rows["failed"]) == 400
    assert int(rows["attempts"]) > 400
    assert float(rows["size of the record (MiB)"]) > 0
