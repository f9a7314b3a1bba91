from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from nni_config.filesystems import is_on_network
from nni_manager.engine.effects import SaveExperiment, SaveTrial
from nni_manager.engine.records import ExperimentOrigin
from nni_manager.storage.interface import StorageError
from nni_manager.storage.sqlite import open_sqlite_storage, schema
from nni_manager.storage.sqlite.files import open_for_writing
from nni_manager.testing.storage import trial

CRASHING = """
import os, sys
from pathlib import Path
from nni_manager.engine.effects import SaveTrial
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.storage import trial
storage = open_sqlite_storage(Path(sys.argv[1]))
for number in range(3):
    storage.commit([SaveTrial(trial(number))])
os._exit(0)
"""

READING = """
import os, sys
from pathlib import Path
from nni_manager.storage.sqlite import open_sqlite_storage
path = Path(sys.argv[1])
if os.access(path.parent, os.W_OK):
    sys.exit("the folder can be written")
storage = open_sqlite_storage(path, read_only=True)
print(len(storage.trials()), storage.revision())
storage.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db" / "experiment.sqlite"


def written(path: Path, count: int = 3) -> Path:
    storage = open_sqlite_storage(path)
    for number in range(count):
        storage.commit([SaveTrial(trial(number))])
    storage.close()
    return path


def crashed(path: Path) -> Path:
    subprocess.run([sys.executable, "-c", CRASHING, str(path)], check=True)
    return path


def read_where_nothing_can_be_written(folder: Path, path: Path) -> str:
    """Returns what a process prints that reads the record on a read-only mount of its folder."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare to make a read-only mount with")
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" || exit 77; exec "$1" -c "$2" "$3"'
    arguments = ["bash", "-c", script, str(folder), sys.executable, READING, str(path)]
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    done = subprocess.run(["unshare", "--mount", *user, *arguments], capture_output=True, text=True)
    if done.returncode in (1, 77) and "unshare" in done.stderr + done.stdout:
        pytest.skip(f"no read-only mount can be made here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_files_are_private_and_a_clean_end_leaves_one(path: Path) -> None:
    storage = open_sqlite_storage(path)
    storage.commit([SaveTrial(trial(0))])
    assert len(list(path.parent.iterdir())) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    storage.close()
    assert [file.name for file in path.parent.iterdir()] == ["experiment.sqlite"]
    again = open_sqlite_storage(path)
    assert [stored.record for stored in again.trials()] == [trial(0)]
    again.close()


def test_a_record_is_marked_and_every_commit_is_flushed(path: Path) -> None:
    connection = open_for_writing(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA user_version").fetchone() == (4,)
    assert connection.execute("PRAGMA application_id").fetchone() == (0x4E4E4934,)
    connection.close()


def test_odd_names_of_folders(tmp_path: Path) -> None:
    path = written(tmp_path / "a b?#%41 \u00e9'" / "experiment.sqlite")
    assert path.is_file()
    reader = open_sqlite_storage(path, read_only=True)
    assert reader.revision() == 3
    reader.close()


def test_a_reader_sees_what_the_writer_commits(path: Path) -> None:
    writer = open_sqlite_storage(path)
    reader = open_sqlite_storage(path, read_only=True)
    writer.commit([SaveTrial(trial(0))])
    assert reader.revision() == 1
    writer.close()
    reader.close()
    last = open_sqlite_storage(path, read_only=True)
    assert [stored.record for stored in last.trials()] == [trial(0)]
    last.close()


def test_reading_a_closed_record_leaves_the_folder_as_it_is(path: Path) -> None:
    written(path)
    before = path.read_bytes()
    reader = open_sqlite_storage(path, read_only=True)
    assert reader.revision() == 3
    with pytest.raises(StorageError, match="reading only"):
        reader.commit([SaveTrial(trial(9))])
    reader.close()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["experiment.sqlite"]


def test_a_record_left_by_a_crash_is_read_whole(path: Path) -> None:
    crashed(path)
    assert len(list(path.parent.iterdir())) > 1
    reader = open_sqlite_storage(path, read_only=True)
    assert (len(reader.trials()), reader.revision()) == (3, 3)
    reader.close()
    written(path, 0)
    assert [file.name for file in path.parent.iterdir()] == ["experiment.sqlite"]


def test_a_read_only_folder_is_read_after_a_clean_end_and_after_a_crash(tmp_path: Path) -> None:
    closed = written(tmp_path / "closed" / "experiment.sqlite")
    assert read_where_nothing_can_be_written(closed.parent, closed) == "3 3"
    left = crashed(tmp_path / "left" / "experiment.sqlite")
    for file in left.parent.glob("*-shm"):
        file.unlink()
    assert read_where_nothing_can_be_written(left.parent, left) == "3 3"


def test_a_newer_version_is_refused_by_naming_both(path: Path) -> None:
    written(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    for read_only in (False, True):
        with pytest.raises(StorageError, match=r"experiment\.sqlite has version 7 .* up to 4:"):
            open_sqlite_storage(path, read_only)


def test_what_is_no_record_is_refused_and_left_alone(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is not a database" * 1000)
    for read_only in (False, True):
        with pytest.raises(StorageError, match=r"experiment\.sqlite: cannot open the record: .*database"):
            open_sqlite_storage(path, read_only)
    other = tmp_path / "nni.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE TrialJobEvent (id INTEGER)")
    connection.close()
    before = other.read_bytes()
    for read_only in (False, True):
        with pytest.raises(StorageError, match=r"nni\.sqlite is a database, but not the record"):
            open_sqlite_storage(other, read_only)
    assert other.read_bytes() == before


def test_a_missing_or_empty_record_cannot_be_read(path: Path) -> None:
    with pytest.raises(StorageError, match="there is no record"):
        open_sqlite_storage(path, read_only=True)
    assert not path.parent.exists()
    path.parent.mkdir()
    path.touch()
    with pytest.raises(StorageError, match=r"experiment\.sqlite"):
        open_sqlite_storage(path, read_only=True)


def test_a_damaged_page_is_told_with_the_file(path: Path) -> None:
    written(path, 200)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xaa" * (size - 4096))
    with pytest.raises(StorageError, match=r"experiment\.sqlite: cannot .*malformed"):
        open_sqlite_storage(path)
    assert path.stat().st_size == size


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"file/experiment\.sqlite: cannot open the record"):
        open_sqlite_storage(tmp_path / "file" / "experiment.sqlite")


def test_migrations_go_forward_wholly_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(path)
    broken = (*schema.MIGRATIONS, "ALTER TABLE trials ADD COLUMN note TEXT; CREATE TABLE trials (a);")
    good = (*schema.MIGRATIONS, "ALTER TABLE trials ADD COLUMN note TEXT;")
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        schema.migrate(connection, path, broken)
    assert schema.check(connection, path) == len(good) - 1
    assert "note" not in [row[1] for row in connection.execute("PRAGMA table_info(trials)")]
    monkeypatch.setattr(schema, "MIGRATIONS", good)
    with pytest.raises(StorageError, match="older version"):
        open_sqlite_storage(path, read_only=True)
    schema.migrate(connection, path, good)
    assert schema.check(connection, path, good) == len(good)
    assert connection.execute("SELECT count(note), count(*) FROM trials").fetchone() == (0, 3)
    connection.close()


def test_a_record_of_the_first_version_is_read_as_it_is_and_brought_forward(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path, isolation_level=None)
    schema.migrate(connection, path, schema.MIGRATIONS[:1])
    old = (1, "abcd1234", "DONE", "minimize", 1.0, 2.0, 3.0, 1.0, None, None, "[]", 4, 5, "request", 6)
    connection.execute(f"INSERT INTO experiment VALUES ({', '.join('?' * len(old))})", old)
    connection.execute("INSERT INTO experiment_config VALUES (1, '{}')")
    connection.close()
    before = path.read_bytes()
    reader = open_sqlite_storage(path, read_only=True)
    experiment = reader.experiment()
    reader.close()
    assert path.read_bytes() == before
    assert read_where_nothing_can_be_written(path.parent, path) == "0 0"
    storage = open_sqlite_storage(path)
    assert storage.experiment() == experiment
    assert experiment is not None
    assert (experiment.experiment_id, experiment.create_request_id) == ("abcd1234", "request")
    assert (experiment.origin, experiment.warnings) == (ExperimentOrigin(), ())
    changed = replace(experiment, warnings=("one",), origin=ExperimentOrigin("c0ffee", False))
    storage.commit([SaveExperiment(changed)])
    assert storage.experiment() == changed
    storage.close()


def test_no_write_ahead_log_on_a_network_file_system(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = [
        SimpleNamespace(mountpoint="/", fstype="ext4"),
        SimpleNamespace(mountpoint=str(path.parents[1]), fstype="nfs4"),
    ]
    assert not is_on_network(path)
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts)
    assert is_on_network(path)
    assert not is_on_network(Path("/elsewhere"))
    storage = open_sqlite_storage(path)
    storage.commit([SaveTrial(trial(0))])
    assert [file.name for file in path.parent.iterdir()] == ["experiment.sqlite"]
    storage.close()
