"""The record of an experiment in one SQLite file."""

from nni_manager.storage.sqlite.storage import SqliteStorage, open_sqlite_storage

__all__ = ["SqliteStorage", "open_sqlite_storage"]
