"""Opens the file of a record, for writing or for reading only."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from nni_config.filesystems import is_on_network

from nni_manager.storage.interface import BatchRefusedError, StorageError
from nni_manager.storage.sqlite import schema

_WAIT_SECONDS = 30.0
_CLOSING_WAIT_SECONDS = 1.0
_STATEMENTS = 256
_CHECKPOINT_PAGES = 4000
_UNLOCKED = "mode=ro&vfs=unix-none"


@contextmanager
def errors_of(path: Path, doing: str) -> Iterator[None]:
    """Turns what can go wrong into StorageError that names file, act and cause.

    What SQLite finds wrong with the values themselves, not with the file, is a BatchRefusedError.
    """
    try:
        yield
    except (sqlite3.IntegrityError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BatchRefusedError(f"{path}: cannot {doing}: {error}") from error
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"{path}: cannot {doing}: {error}") from error


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Opens a record for its one writer, making it if there is none.

    Raises:
        StorageError: It cannot be opened, or is of another kind or a newer version.
    """
    with errors_of(path, "open the record"):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = _connect(path, "mode=rw")
        try:
            schema.check(connection, path)
            journal = "DELETE" if is_on_network(path) else "WAL"
            connection.execute(f"PRAGMA journal_mode = {journal}")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
            schema.migrate(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Opens a record beside its writer, or one that nobody writes.

    Raises:
        StorageError: It cannot be opened, or is of another kind or version.
    """
    with errors_of(path, "open the record"):
        if not path.is_file():
            raise StorageError(f"{path}: there is no record of an experiment")
        mode = _reading_mode(path)
        connection = _connect(path, mode)
        try:
            if mode == _UNLOCKED:
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            schema.prepare_to_read(connection, path)
            connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection


def fold(connection: sqlite3.Connection) -> None:
    """Brings everything into the one file; beside another process's reader the empty rest stays."""
    connection.execute(f"PRAGMA busy_timeout = {int(_CLOSING_WAIT_SECONDS * 1000)}")
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _reading_mode(path: Path) -> str:
    """Returns how to open a file so that it can be read where nothing can be written, too."""
    if os.access(path.parent, os.W_OK):
        # What a crash left half-written in a rollback journal is undone by whoever opens the file.
        return "mode=rw" if _beside(path, "-journal") else "mode=ro"
    # The log of a writer that crashed is read without the shared memory file that cannot be made.
    return _UNLOCKED if _beside(path, "-wal") else "mode=ro&immutable=1"


def _beside(path: Path, suffix: str) -> bool:
    companion = path.with_name(path.name + suffix)
    return companion.exists() and companion.stat().st_size > 0


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{mode}",
        uri=True,
        timeout=_WAIT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS,
    )
