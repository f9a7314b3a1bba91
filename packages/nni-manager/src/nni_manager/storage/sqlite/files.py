"""Opens the file of a record, for writing or for reading only."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from nni_manager.storage.interface import StorageError
from nni_manager.storage.sqlite import schema

_WAIT_SECONDS = 30.0
_STATEMENTS = 256
_CHECKPOINT_PAGES = 4000


@contextmanager
def errors_of(path: Path, doing: str) -> Iterator[None]:
    """Turns what can go wrong with a file into StorageError that names file, act and cause."""
    try:
        yield
    except (sqlite3.Error, OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
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
            connection.execute("PRAGMA journal_mode = WAL")
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
        connection = _connect(path, _reading_mode(path))
        try:
            version = schema.check(connection, path)
        except BaseException:
            connection.close()
            raise
        if version < len(schema.MIGRATIONS):
            connection.close()
            raise StorageError(
                f"{path} has version {version}: open it for writing once to bring it up to date"
            )
        return connection


def fold(connection: sqlite3.Connection) -> None:
    """Brings everything into the one file, as far as no other process reads it."""
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _reading_mode(path: Path) -> str:
    """Returns how to open a file so that it works in a folder where nothing can be written too."""
    if os.access(path.parent, os.W_OK):
        return "mode=ro"
    return "mode=ro&immutable=1"


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{mode}",
        uri=True,
        timeout=_WAIT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS,
    )
