"""`python -m nni_manager --resume`: what it refuses, and with which words."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from nni_config.wire import config_from_message
from nni_manager.engine.effects import SaveExperiment
from nni_manager.engine.records import ExperimentRecord
from nni_manager.engine.statuses import ExperimentStatus
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.manager_process import ManagerStarter, manager_starter
from nni_manager.testing.noting_trials import until
from nni_manager.testing.running_port import example_config

OFTEN = "import nni_manager.server.manager as manager; manager._NOTED_AGAIN_SECONDS = 0.05"
RESUME = ("--resume", "--experiment-id=mine")


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[ManagerStarter]:
    with manager_starter(tmp_path) as starter:
        yield starter


@pytest.fixture
def folder(starter: ManagerStarter) -> Path:
    """The folder of an experiment that was created and stopped."""
    folder = starter.directory / "mine"
    (folder / "db").mkdir(parents=True)
    storage = open_sqlite_storage(folder / "db" / "experiment.sqlite")
    config = config_from_message(example_config()).canonical_copy()
    record = ExperimentRecord("mine", ExperimentStatus.STOPPED, config.to_dict(), "maximize", 1.0)
    storage.commit([SaveExperiment(record)])
    storage.close()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (folder / "db").iterdir()}


def test_the_record_is_open_once_the_manager_is_ready(starter: ManagerStarter, folder: Path) -> None:
    manager = starter.start(*RESUME)
    assert manager.status() == "STOPPED"
    assert manager.experiment().config.experiment_name == "example"


def test_an_unknown_experiment(starter: ManagerStarter) -> None:
    error = starter.failure(*RESUME)
    assert f"there is no experiment 'mine' in {starter.directory}" in error
    assert not starter.directory.exists()


def test_a_folder_without_a_record(starter: ManagerStarter) -> None:
    (starter.directory / "mine" / "log").mkdir(parents=True)
    error = starter.failure(*RESUME)
    assert "no record of an experiment" in error and "experiment.sqlite is missing" in error
    assert not (starter.directory / "mine" / "secret").exists()


def test_an_experiment_of_nni(starter: ManagerStarter) -> None:
    (starter.directory / "mine" / "db").mkdir(parents=True)
    (starter.directory / "mine" / "db" / "nni.sqlite").touch()
    error = starter.failure(*RESUME)
    assert "NNI 2.x or 3.x" in error and "nnictl experiment import NEW_ID --from mine" in error


@pytest.mark.parametrize("how", ["--resume", "--view"])
def test_a_folder_that_was_renamed(starter: ManagerStarter, folder: Path, how: str) -> None:
    shutil.copytree(folder, folder.with_name("copy"))
    error = starter.failure(how, "--experiment-id=copy")
    assert f"the record in {folder.with_name('copy')} is of experiment 'mine'" in error
    assert "rename it to 'mine'" in error


@pytest.mark.parametrize("arguments", [RESUME, RESUME[1:]], ids=["resume", "create"])
def test_an_experiment_that_is_run_by_another_manager(
    starter: ManagerStarter, folder: Path, arguments: tuple[str, ...]
) -> None:
    manager = starter.start(*RESUME)
    error = starter.failure(*arguments)
    assert f"process {manager.process.pid}, port {manager.told['port']}" in error
    assert "nnictl stop mine" in error


def test_a_file_that_is_no_database(starter: ManagerStarter, folder: Path) -> None:
    database = folder / "db" / "experiment.sqlite"
    database.write_bytes(b"x" * 8192)
    before = contents(folder)
    error = starter.failure(*RESUME)
    assert "file is not a database" in error and str(database) in error
    assert "left as it is" in error and ".recover" in error
    assert contents(folder) == before


def test_a_damaged_database(starter: ManagerStarter, folder: Path) -> None:
    database = folder / "db" / "experiment.sqlite"
    content = bytearray(database.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    database.write_bytes(content)
    before = contents(folder)
    error = starter.failure(*RESUME)
    assert "malformed" in error and str(database) in error and "left as it is" in error
    assert contents(folder) == before


def test_an_empty_file(starter: ManagerStarter, folder: Path) -> None:
    (folder / "db" / "experiment.sqlite").write_bytes(b"")
    assert "is empty" in starter.failure(*RESUME)
    assert contents(folder) == {str(folder / "db" / "experiment.sqlite"): b""}


def test_a_record_of_a_newer_version(starter: ManagerStarter, folder: Path) -> None:
    with sqlite3.connect(folder / "db" / "experiment.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = contents(folder)
    error = starter.failure(*RESUME)
    assert "has version 99" in error and "open it with a newer program" in error
    assert ".recover" not in error
    assert contents(folder) == before


def test_a_folder_that_cannot_be_written_to(starter: ManagerStarter, folder: Path) -> None:
    error = starter.failure(*RESUME, wrapper=mounted(folder, 'mount -o remount,bind,ro "$0"'))
    assert f"its folder {folder} cannot be written to" in error and "nnictl view mine" in error


def test_a_full_disk(starter: ManagerStarter, folder: Path, tmp_path: Path) -> None:
    shutil.move(folder, tmp_path / "there")
    folder.mkdir()
    fill = f'mount -t tmpfs -o size=1m tmpfs "$0" && cp -a {tmp_path}/there/. "$0"; '
    fill += 'dd if=/dev/zero of="$0"/filler bs=4k status=none 2> /dev/null || true'
    error = starter.failure(*RESUME, wrapper=mounted(folder, fill))
    assert f"the disk of {folder} is full" in error and "make room" in error


def test_a_running_manager_is_found_again_though_its_notes_are_deleted(
    starter: ManagerStarter, folder: Path
) -> None:
    manager = starter.start(*RESUME, before=OFTEN)
    notes = [folder / "manager.json", *Path(starter.environment["NNI_RUNTIME_DIR"]).glob("managers/*.json")]
    assert len(notes) == 2
    for lost in (notes[:1], notes[1:], notes):
        for note in lost:
            note.unlink()
        until(lambda: all(note.exists() for note in notes))
    manager.stop()
    assert not any(note.exists() for note in notes)


@pytest.mark.parametrize("status", [ExperimentStatus.INITIALIZED, ExperimentStatus.ERROR])
def test_one_that_never_ran_is_shown(starter: ManagerStarter, folder: Path, status: ExperimentStatus) -> None:
    storage = open_sqlite_storage(folder / "db" / "experiment.sqlite")
    record = storage.experiment()
    assert record is not None
    storage.commit([SaveExperiment(replace(record, status=status, errors=("no such module",)))])
    storage.close()
    manager = starter.start("--view", RESUME[1])
    assert manager.status() == status.value and manager.trials() == []


@pytest.mark.parametrize("version", [1, 2])
def test_a_record_of_an_older_version_is_shown_and_resumed(
    starter: ManagerStarter, tmp_path: Path, version: int
) -> None:
    database = starter.directory / "old1" / "db" / "experiment.sqlite"
    database.parent.mkdir(parents=True)
    script = (Path(__file__).parent / "data" / f"experiment_version_{version}.sql").read_text()
    with sqlite3.connect(database) as connection:
        connection.executescript(script)
        (experiment_id,) = connection.execute("SELECT experiment_id FROM experiment").fetchone()
    connection.close()
    (starter.directory / "old1").rename(starter.directory / experiment_id)
    shown = starter.start("--view", f"--experiment-id={experiment_id}")
    trials = shown.trials()
    assert trials
    shown.kill()
    manager = starter.start("--resume", f"--experiment-id={experiment_id}")
    assert manager.trials() == trials


def mounted(folder: Path, command: str) -> tuple[str, ...]:
    """Returns what runs a manager in a view of the file system of its own, where `$0` is the folder."""
    script = f'mount --bind "$0" "$0" && {command} || exit 77; exec "$@"'
    wrapper = ("unshare", "--mount", "sh", "-c", script, str(folder))
    done = subprocess.run([*wrapper, "true"], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr}")
    return wrapper
