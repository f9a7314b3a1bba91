"""Other experiments than the manager's own: listed, read, kept from changes, deleted."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nni_config.experiment_summary import read_summary, write_summary
from nni_config.local_state import ManagerRecord, remove_manager_record, write_manager_record
from nni_config.processes import process_start_time
from nni_manager.engine.effects import SaveExperiment, SaveTrial
from nni_manager.engine.records import ExperimentRecord, TrialRecord
from nni_manager.engine.statuses import ExperimentStatus, ParameterSource, TrialStatus
from nni_manager.experiments import open_records, read_only
from nni_manager.experiments.errors import (
    ExperimentNotFoundError,
    ShuttingDownError,
    StorageFailedError,
    WrongExperimentStatusError,
)
from nni_manager.experiments.listing import ListedExperiment
from nni_manager.experiments.many_experiments import ManyExperiments
from nni_manager.experiments.open_records import MOST_OPEN, OpenRecords
from nni_manager.experiments.summary_file import summary_of
from nni_manager.experiments.views import ExperimentUpdate
from nni_manager.rpc.experiment_list_servicer import ExperimentListServicer
from nni_manager.storage.interface import Storage
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.fake_experiments import FakeExperiments
from nni_proto.v1 import experiment_pb2, experiment_summary_pb2, trial_pb2

OWN = "own"
DONE = ExperimentStatus.DONE


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    runtime = tmp_path / "run"
    runtime.mkdir(0o700)
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(runtime))
    (tmp_path / "experiments").mkdir()
    return tmp_path / "experiments"


@pytest.fixture
async def many(directory: Path) -> AsyncIterator[ManyExperiments]:
    many = ManyExperiments(FakeExperiments(), OWN, directory, open_to_read)
    yield many
    await many.close(by_user=False, message="the test has ended")


@pytest.fixture
def manager_runs(directory: Path) -> Iterator[Callable[[str], ManagerRecord]]:
    """Makes this process the manager of an experiment."""
    records = []

    def run(experiment_id: str) -> ManagerRecord:
        started = process_start_time(os.getpid()) or 0.0
        folder = directory / experiment_id
        record = ManagerRecord(
            experiment_id, os.getpid(), started, 9, "127.0.0.1", "", "a token", str(folder)
        )
        write_manager_record(record, folder)
        records.append(record)
        return record

    yield run
    for record in records:
        remove_manager_record(record, Path(record.directory))


def open_to_read(path: Path) -> Storage:
    return open_sqlite_storage(path, read_only=True)


def record(directory: Path, experiment_id: str, status: ExperimentStatus, created: float = 100.0) -> Storage:
    """Records an experiment with one trial, with its summary, and returns the open record."""
    folder = directory / experiment_id
    for name in ("db", "log", "trials"):
        (folder / name).mkdir(parents=True)
    (folder / "log" / "nnimanager.log").write_bytes(b"0" * 5000)
    storage = open_sqlite_storage(folder / "db" / "experiment.sqlite")
    experiment = ExperimentRecord(
        experiment_id,
        status,
        {"experimentName": "a name", "tuner": {"name": "TPE"}, "trainingService": {"platform": "local"}},
        "minimize",
        created_at=created,
        started_at=created + 1,
        running_since=None if status is DONE else created + 1,
    )
    storage.commit([SaveExperiment(experiment), SaveTrial(trial(0))])
    write_summary(summary_of(experiment, storage), folder)
    return storage


def trial(number: int) -> TrialRecord:
    return TrialRecord(
        trial_id=f"t{number}",
        sequence_number=number,
        status=TrialStatus.SUCCEEDED,
        attempt=0,
        parameter_id=number,
        parameter_source=ParameterSource.ALGORITHM,
        parameters={"x": 1},
        created_at=1.0,
        has_final_result=True,
        final_result=0.5,
        objective=0.5,
    )


async def listed(many: ManyExperiments) -> dict[str, ListedExperiment]:
    return {each.folder.experiment_id: each for each in await many.listed()}


async def sized(many: ManyExperiments, experiment_id: str) -> ListedExperiment:
    """Returns an experiment of the list once everything about it is known."""
    while (found := (await listed(many))[experiment_id]).size is None:
        await asyncio.sleep(0)
    return found


async def test_experiments_are_listed_the_newest_first(
    many: ManyExperiments, directory: Path, manager_runs: Callable[[str], ManagerRecord]
) -> None:
    record(directory, "old", DONE, created=100).close()
    record(directory, OWN, DONE, created=300).close()
    record(directory, "running", ExperimentStatus.RUNNING, created=200)
    manager_runs("running")
    servicer = ExperimentListServicer(many)
    request = experiment_summary_pb2.ListExperimentsRequest(page_size=2)
    first = await servicer.list_experiments(request)
    request.page_token = first.next_page_token
    second = await servicer.list_experiments(request)
    own, running, old = [*first.experiments, *second.experiments]
    assert not second.next_page_token
    assert [it.name for it in (own, running, old)] == [f"experiments/{it}" for it in (OWN, "running", "old")]
    assert [it.own for it in (own, running, old)] == [True, False, False]
    assert [it.running for it in (own, running, old)] == [False, True, False]
    assert (old.title, old.algorithm, list(old.platforms)) == ("a name", "TPE", ["local"])
    assert (old.optimize_mode, old.best_objective, old.problem) == ("minimize", 0.5, "")
    assert old.status == experiment_pb2.Experiment.STATUS_DONE
    assert (old.create_time.seconds, old.start_time.seconds, old.HasField("end_time")) == (100, 101, False)
    assert [(it.status, it.count) for it in old.trial_counts] == [(trial_pb2.Trial.STATUS_SUCCEEDED, 1)]
    assert old.directory == str(directory / "old")


async def test_the_size_of_a_folder_comes_later(many: ManyExperiments, directory: Path) -> None:
    record(directory, "one", DONE).close()
    found = await sized(many, "one")
    assert found.size is not None and found.size >= 5000


async def test_what_cannot_be_read_hides_no_other(many: ManyExperiments, directory: Path) -> None:
    record(directory, "good", DONE).close()
    for name in ("damaged", "newer", "empty"):
        record(directory, name, DONE).close()
    (directory / "damaged" / "db" / "experiment.sqlite").write_bytes(b"x" * 5000)
    summary = read_summary(directory / "newer")
    assert summary is not None
    write_summary(replace(summary, status="HIBERNATING", created_at=1e300), directory / "newer")
    (directory / "empty" / "summary.json").unlink()
    with closing(sqlite3.connect(directory / "empty" / "db" / "experiment.sqlite")) as connection:
        connection.execute("DELETE FROM experiment")
        connection.commit()
    (directory / "nnis" / "db").mkdir(parents=True)
    (directory / "nnis" / "db" / "nni.sqlite").write_bytes(b"")
    (directory / "failed" / "log").mkdir(parents=True)
    (directory / "failed" / "log" / "nnimanager.log").write_bytes(b"")
    (directory / "no experiment").mkdir()
    response = await ExperimentListServicer(many).list_experiments(
        experiment_summary_pb2.ListExperimentsRequest()
    )
    problems = {it.name.rpartition("/")[2]: it.problem for it in response.experiments}
    assert set(problems) == {"good", "damaged", "newer", "empty", "nnis", "failed"}
    assert problems["good"] == ""
    assert "damaged, or no record" in problems["damaged"]
    assert "summary.json cannot be understood" in problems["newer"]
    assert "holds no experiment" in problems["empty"]
    assert "Microsoft's NNI" in problems["nnis"]
    assert "never started" in problems["failed"]


async def test_one_whose_manager_was_killed_is_stopped_and_told_by_its_record(
    many: ManyExperiments, directory: Path
) -> None:
    storage = record(directory, "killed", ExperimentStatus.RUNNING)
    storage.commit([SaveTrial(trial(1))])  # after the last summary
    storage.close()
    before = (await listed(many))["killed"]
    found = await sized(many, "killed")
    assert before.summary is not None and found.summary is not None
    assert (before.summary.trial_count, found.summary.trial_count) == (1, 2)
    assert found.folder.status == "STOPPED" and not found.folder.is_running
    view = await many.get("killed")
    assert view.record.status is ExperimentStatus.STOPPED
    assert view.record.end_reason is not None and "resume it" in view.record.end_reason.message
    again = await many.get("killed")
    assert again.running_seconds == view.running_seconds  # the time since is not counted


async def test_another_experiment_is_read(many: ManyExperiments, directory: Path) -> None:
    record(directory, "other", DONE).close()
    view = await many.get("other")
    assert (view.record.experiment_id, view.directory) == ("other", str(directory / "other"))
    assert [it.stored.record.trial_id for it in await many.trials("other", -1, 10, ())] == ["t0"]
    found = await many.trial("other", "t0")
    assert found.output_directory == str(directory / "other" / "trials" / "t0")
    assert await many.metrics("other", None, 0, 10, None) == []
    assert len(await many.exported_trials("other", -1, 10)) == 1
    reader = await many.reader("other")
    assert await reader.ask(lambda storage: storage.revision()) == view.revision
    for name in ("nowhere", "../other", ""):
        with pytest.raises(ExperimentNotFoundError):
            await many.get(name)


async def test_one_that_another_manager_runs_is_read_as_it_goes_on(
    many: ManyExperiments,
    directory: Path,
    manager_runs: Callable[[str], ManagerRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(read_only, "_SECONDS_BETWEEN_LOOKS", 0.01)
    storage = record(directory, "running", ExperimentStatus.RUNNING)
    manager = manager_runs("running")
    changes = many.watch("running", 0, include_metrics=False)
    first = await anext(changes)
    assert first.experiment is not None and first.experiment.record.status is ExperimentStatus.RUNNING
    storage.commit([SaveTrial(trial(1))])
    second = await anext(changes)
    assert [it.stored.record.trial_id for it in second.trials] == ["t1"]
    experiment = storage.experiment()
    assert experiment is not None
    storage.commit([SaveExperiment(replace(experiment, status=DONE, running_since=None))])
    storage.close()
    remove_manager_record(manager, directory / "running")
    third = await anext(changes)
    assert third.experiment is not None and third.experiment.record.status is DONE
    many.closed.set()
    with pytest.raises(StopAsyncIteration):
        await anext(changes)


async def test_another_experiment_is_not_changed(
    many: ManyExperiments, directory: Path, manager_runs: Callable[[str], ManagerRecord]
) -> None:
    record(directory, "ended", DONE).close()
    record(directory, "running", ExperimentStatus.RUNNING)
    manager_runs("running")
    for name, text in {
        "ended": "nnictl resume ended",
        "running": "run by its own manager, on port 9",
    }.items():
        changes: list[Any] = [
            many.start(name),
            many.update(name, ExperimentUpdate(trial_concurrency=2)),
            many.resume(name, None),
            many.pause(name),
            many.unpause(name),
            many.create_trial(name, {"x": 1}, "r"),
            many.import_trials(name, [{}], "r"),
            many.stop(name),
            many.cancel_trial(name, "t0"),
            many.report_metrics(name, "t0", 0, []),
        ]
        for change in changes:
            with pytest.raises(WrongExperimentStatusError, match=text):
                await change
    assert not many.closed.is_set()
    manager = await many.manager("running")
    assert manager is not None and manager.port == 9
    assert (await many.manager("ended"), await many.manager(OWN)) == (None, None)


async def test_another_experiment_is_deleted(
    many: ManyExperiments, directory: Path, manager_runs: Callable[[str], ManagerRecord]
) -> None:
    for name in ("gone", OWN):
        record(directory, name, DONE).close()
    record(directory, "running", ExperimentStatus.RUNNING)
    manager_runs("running")
    await many.get("gone")  # opens its record
    await many.delete("gone")
    assert sorted(path.name for path in directory.iterdir()) == [OWN, "running"]
    assert not [path for path in open_files() if "gone" in path]
    with pytest.raises(ExperimentNotFoundError):
        await many.get("gone")
    with pytest.raises(ExperimentNotFoundError):
        await many.delete("gone")
    with pytest.raises(WrongExperimentStatusError, match="running, on port 9"):
        await many.delete("running")
    with pytest.raises(WrongExperimentStatusError, match="that this manager was started for"):
        await many.delete(OWN)
    assert set(await listed(many)) == {OWN, "running"}


async def test_few_records_are_open_at_a_time(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    closed: list[Path] = []
    databases = []
    for number in range(3 * MOST_OPEN):
        record(directory, f"e{number}", DONE).close()
        databases.append(directory / f"e{number}" / "db" / "experiment.sqlite")

    def open_counted(path: Path) -> Storage:
        storage = open_to_read(path)
        close = storage.close
        opened.append(path)
        assert len(opened) - len(closed) <= MOST_OPEN
        monkeypatch.setattr(storage, "close", lambda: (closed.append(path), close()), raising=False)
        return storage

    records = OpenRecords(open_counted)
    ids = await asyncio.gather(*(records.ask(it, recorded_id) for it in databases * 2))
    assert ids == [f"e{number}" for number in range(3 * MOST_OPEN)] * 2
    opened_before = len(opened)
    await records.ask(opened[-1], recorded_id)
    assert len(opened) == opened_before  # what is open is used again
    await records.close()
    assert sorted(opened) == sorted(closed)
    with pytest.raises(ShuttingDownError):
        await records.ask(databases[0], recorded_id)


async def test_a_record_in_use_makes_no_room_for_another(directory: Path) -> None:
    databases = []
    for number in range(MOST_OPEN + 1):
        record(directory, f"e{number}", DONE).close()
        databases.append(directory / f"e{number}" / "db" / "experiment.sqlite")
    opened: list[Path] = []
    records = OpenRecords(lambda path: (opened.append(path), open_to_read(path))[1])
    loop, go_on = asyncio.get_running_loop(), asyncio.Event()

    def question(storage: Storage) -> str:
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
        return recorded_id(storage)

    asking = [asyncio.create_task(records.ask(databases[0], question))]
    while not opened:
        await asyncio.sleep(0)
    asking += [asyncio.create_task(records.ask(path, recorded_id)) for path in databases[1:]]
    await asyncio.wait(asking[1:])
    assert databases[0] in records._open
    go_on.set()
    assert [await each for each in asking] == [f"e{number}" for number in range(MOST_OPEN + 1)]
    await records.close()


async def test_a_record_that_nothing_is_asked_of_is_closed(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_records, "IDLE_SECONDS", 0.01)
    record(directory, "e", DONE).close()
    database = directory / "e" / "db" / "experiment.sqlite"
    storages: list[Storage] = []
    records = OpenRecords(lambda path: storages.append(open_to_read(path)) or storages[-1])
    await records.ask(database, recorded_id)
    while records._open:
        await asyncio.sleep(0.01)
    await records.ask(database, recorded_id)
    assert len(storages) == 2
    await records.close()


async def test_who_goes_away_does_not_close_a_record_in_use(directory: Path) -> None:
    record(directory, "e", DONE).close()
    database = directory / "e" / "db" / "experiment.sqlite"
    records = OpenRecords(open_to_read)
    begun, go_on, answers = asyncio.Event(), asyncio.Event(), []
    loop = asyncio.get_running_loop()

    def question(storage: Storage) -> None:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()
        answers.append(recorded_id(storage))

    asking = asyncio.create_task(records.ask(database, question))
    await begun.wait()
    asking.cancel()
    closing = asyncio.create_task(records.close())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    assert answers == ["e"]


async def test_a_record_that_cannot_be_opened_is_told(many: ManyExperiments, directory: Path) -> None:
    record(directory, "damaged", DONE).close()
    (directory / "damaged" / "db" / "experiment.sqlite").write_bytes(b"x" * 5000)
    for _ in range(MOST_OPEN + 1):
        with pytest.raises(StorageFailedError, match=r"experiment\.sqlite"):
            await many.get("damaged")


def open_files() -> list[str]:
    """Returns the paths of the files that this process has open."""
    paths = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            paths.append(str(descriptor.readlink()))
    return paths


def recorded_id(storage: Storage) -> str:
    experiment = storage.experiment()
    assert experiment is not None
    return experiment.experiment_id
