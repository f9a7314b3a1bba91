"""A manager that is killed while trials run, and the one that goes on: real trials, real tuner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from nni_manager.testing.noting_trials import NotedSearch, noted_search, until
from nni_proto.v1 import trial_pb2

WAITING = """
x = begin()["x"]
report("intermediate", x / 2)
while not (notes / "go").exists() and not stopping:
    time.sleep(0.02)
report("intermediate", x / 3)
report("final", x)
"""

LOOPING = """
ended = 0
while (parameters := begin()) is not None:
    x = parameters["x"]
    report("intermediate", x / 2)
    while ended and not (notes / "go").exists() and not stopping:
        time.sleep(0.02)
    report("final", x)
    ended += 1
"""


@pytest.fixture
def search(tmp_path: Path) -> Iterator[NotedSearch]:
    with noted_search(tmp_path, WAITING) as search:
        search.config.trial_concurrency = 3
        search.config.max_trial_number = 6
        yield search


def test_trials_that_ran_are_adopted_and_nothing_is_lost(search: NotedSearch) -> None:
    manager = search.run()
    search.until_started(3)
    until(lambda: len(manager.metrics()) == 3)
    before = manager.experiment().revision
    manager.kill()
    (search.folder / "go").touch()
    search.until_reported("final", 3)
    manager = search.reopen()
    assert manager.status() == "RUNNING" and len(manager.metrics()) == 3
    resumed = manager.resume()
    assert resumed.revision > before and not resumed.HasField("end_time")
    assert manager.until("DONE", "ERROR") == "DONE"
    search.check(manager, 6)
    assert {trial.status for trial in manager.trials()} == {trial_pb2.Trial.STATUS_SUCCEEDED}
    manager.stop()
    until(lambda: not search.processes(), 10)


def test_a_looping_script_of_a_killed_manager_gets_its_next_trials_from_the_next_one(tmp_path: Path) -> None:
    with noted_search(tmp_path, LOOPING) as search:
        search.config.training_service.reuse_mode = True
        search.config.max_trial_number = 8
        manager = search.run()
        search.until_started(4)
        manager.kill()
        pids = {pid for _, _, pid in search.notes("started")}
        (search.folder / "go").touch()
        manager = search.resume()
        assert manager.until("DONE", "ERROR") == "DONE"
        search.check(manager, 8)
        assert {pid for _, _, pid in search.notes("started")} == pids and len(pids) == 2
        manager.stop()
        until(lambda: not search.processes(), 10)


def test_a_trial_that_was_lost_with_its_runner_is_failed_by_the_platform(search: NotedSearch) -> None:
    lost = lose_a_trial(search)
    (search.folder / "go").touch()
    manager = search.resume()
    assert manager.until("DONE", "ERROR") == "DONE"
    (trial,) = [trial for trial in manager.trials() if trial.name.endswith(lost)]
    assert trial.status == trial_pb2.Trial.STATUS_FAILED
    assert trial.end_reason.actor == trial_pb2.EndReason.ACTOR_PLATFORM
    assert "runner lost" in trial.end_reason.message
    search.check(manager, 6)


def test_a_lost_trial_is_run_again_with_its_parameters(search: NotedSearch) -> None:
    search.config.max_trial_retries = 1
    lost = lose_a_trial(search)
    (search.folder / "go").touch()
    manager = search.resume()
    assert manager.until("DONE", "ERROR") == "DONE"
    assert {trial.status for trial in manager.trials()} == {trial_pb2.Trial.STATUS_SUCCEEDED}
    (trial,) = [trial for trial in manager.trials() if trial.name.endswith(lost)]
    assert trial.attempt == 1 and ["runner lost" in end.message for end in trial.earlier_ends] == [True]
    attempts = [attempt for trial_id, attempt, _ in search.notes("started") if trial_id == lost]
    assert attempts == ["0", "1"]
    values = [words[2] for words in search.notes("reported") if words[:2] == [lost, "intermediate"]]
    assert values[0] == values[1]
    search.check_results(manager)


def test_a_trial_that_stands_still_is_not_lost(search: NotedSearch) -> None:
    manager = search.run()
    search.until_started(3)
    paused = [psutil.Process(int(pid)) for _, _, pid in search.notes("started")]
    for process in [*paused, *(process.parent() for process in paused)]:
        process.suspend()
    manager.kill()
    manager = search.resume()
    until(lambda: len(manager.metrics()) == 3)
    for process in [*paused, *(process.parent() for process in paused)]:
        process.resume()
    (search.folder / "go").touch()
    assert manager.until("DONE", "ERROR") == "DONE"
    search.check(manager, 6)
    assert {trial.status for trial in manager.trials()} == {trial_pb2.Trial.STATUS_SUCCEEDED}


def lose_a_trial(search: NotedSearch) -> str:
    """Kills a manager, then a trial with its runner, and returns the trial's id."""
    manager = search.run()
    search.until_started(3)
    until(lambda: len(manager.metrics()) == 3)
    manager.kill()
    trial_id, _, pid = search.notes("started")[0]
    trial = psutil.Process(int(pid))
    chain = [trial]
    while chain[-1].name() != "nni-runner":
        chain.append(chain[-1].parent())
    for process in reversed(chain):
        process.kill()
    until(lambda: not trial.is_running() or trial.status() == psutil.STATUS_ZOMBIE)
    return trial_id


def test_what_was_stopped_is_stopped_and_stays_so(search: NotedSearch) -> None:
    manager = search.run()
    search.until_started(3)
    stopped = manager.stop()
    assert stopped.trial_counts[0].count == 3
    manager = search.reopen()
    ends = {trial.name: trial for trial in manager.trials()}
    assert all(trial.status == trial_pb2.Trial.STATUS_USER_CANCELED for trial in ends.values())
    assert all(trial.end_time == trial.end_time and trial.HasField("end_time") for trial in ends.values())
    (search.folder / "go").touch()
    manager.resume()
    manager.until("DONE")
    later = {trial.name: trial for trial in manager.trials()}
    assert len(later) == 6
    for name, trial in ends.items():
        assert later[name].end_time == trial.end_time
        assert later[name].end_reason.message == "stopped by the user"
        assert later[name].end_reason.actor == trial.end_reason.ACTOR_USER


def test_a_stored_result_is_there_after_a_kill(search: NotedSearch) -> None:
    manager = search.run()
    until(lambda: len(manager.metrics()) == 3)
    stored = manager.metrics()
    manager.kill()
    assert search.reopen().metrics() == stored


def test_a_kill_frees_the_folder_at_once_although_trials_run_on(search: NotedSearch) -> None:
    manager = search.run()
    search.until_started(3)
    for _ in range(3):
        manager.kill()
        manager = search.resume()
    assert len(search.notes("started")) == 3
    (search.folder / "go").touch()
    assert manager.until("DONE", "ERROR") == "DONE"
    search.check(manager, 6)
