"""Copies the record of an experiment, and fits a copy to the machine that it is loaded on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nni_client.archive_layout import ArchiveError

_APPLICATION_ID = 0x4E4E4934
_WAIT_SECONDS = 30.0
_ACTIVE = """
SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view') OR sql LIKE 'CREATE VIRTUAL%'
"""


def copy_record(record: Path, copy: Path) -> dict[str, Any]:
    """Copies a record as it is at one moment, beside a manager that writes it too.

    Args:
        record: The database.
        copy: The file to make.

    Returns:
        The configuration in it.

    Raises:
        ArchiveError: It cannot be read, or is no record.
    """
    # What a crash left half-written in a rollback journal is undone by whoever opens the file.
    mode = "rw" if record.with_name(record.name + "-journal").exists() else "ro"
    with (
        _errors_of(record),
        closing(_connect(record, mode)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        _check(source)
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
        return _config(target)


def fit_record(record: Path, experiment_id: str, directory: Path, code: Path | None) -> dict[str, Any]:
    """Checks a record that came from elsewhere, and changes the folders in its configuration.

    Args:
        record: The database.
        experiment_id: The experiment that it is to be of.
        directory: The folder that holds the experiment's folder now.
        code: Where the trials' code is now; None leaves what is recorded.

    Returns:
        The changed configuration.

    Raises:
        ArchiveError: It is no sound record of this experiment.
    """
    with _errors_of(record), closing(_connect(record, "rw")) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA journal_mode = DELETE")
        _check(connection)
        recorded = connection.execute("SELECT experiment_id FROM experiment").fetchone()
        if recorded != (experiment_id,):
            raise ArchiveError(f"its record is not of the experiment {experiment_id}")
        config = moved(_config(connection), directory, code)
        with connection:
            connection.execute("UPDATE experiment_config SET config = ?", (json.dumps(config),))
        return config


def code_directory_of(config: dict[str, Any]) -> Path | None:
    """Returns the folder of the trials' code in a recorded configuration, None when none is named."""
    named = [it.get("trialCodeDirectory") for it in (*_services(config)[:1], config)]
    found = next((it for it in named if isinstance(it, str)), None)
    return None if found is None else Path(found)


def moved(config: dict[str, Any], directory: Path, code: Path | None) -> dict[str, Any]:
    """Returns a recorded configuration for other folders; what algorithms have of the code moves with it.

    Args:
        config: The configuration.
        directory: The folder that holds the experiment's folder.
        code: The folder of the trials' code; None leaves what is recorded.
    """
    changed: dict[str, Any] = json.loads(json.dumps(config))
    changed["experimentWorkingDirectory"] = str(directory)
    before = code_directory_of(config)
    if code is None or before is None:
        return changed
    for holder in (changed, *_services(changed)):
        if "trialCodeDirectory" in holder:
            holder["trialCodeDirectory"] = str(code)
    for algorithm in (changed.get(kind) for kind in ("tuner", "assessor", "advisor")):
        own = algorithm.get("codeDirectory") if isinstance(algorithm, dict) else None
        if isinstance(algorithm, dict) and isinstance(own, str) and Path(own).is_relative_to(before):
            algorithm["codeDirectory"] = str(code / Path(own).relative_to(before))
    return changed


def _services(config: dict[str, Any]) -> list[dict[str, Any]]:
    services = config.get("trainingService")
    listed = services if isinstance(services, list) else [services]
    return [it for it in listed if isinstance(it, dict)]


def _check(connection: sqlite3.Connection) -> None:
    if connection.execute("PRAGMA application_id").fetchone() != (_APPLICATION_ID,):
        raise ArchiveError("its record is not that of an experiment")
    active = connection.execute(_ACTIVE).fetchone()
    if active is not None:
        raise ArchiveError(f"its record has {active[0]!r}, which no record has")
    problem = connection.execute("PRAGMA quick_check(1)").fetchone()
    if problem != ("ok",):
        raise ArchiveError(f"its record is damaged: {problem[0]}")


def _config(connection: sqlite3.Connection) -> dict[str, Any]:
    row = connection.execute("SELECT config FROM experiment_config").fetchone()
    try:
        config = None if row is None else json.loads(row[0])
    except (TypeError, ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise ArchiveError("its record has no configuration")
    return config


def _connect(record: Path, mode: str) -> sqlite3.Connection:
    address = f"file:{quote(str(record.absolute()))}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS)


@contextmanager
def _errors_of(record: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise ArchiveError(f"its record {record.name} cannot be read: {error}") from error
