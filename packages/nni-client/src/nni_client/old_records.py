"""Reads the records of Microsoft's NNI, versions 2 and 3: `db/nni.sqlite`. Nothing is ever written there."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nni_client.data import TrialJob, TrialMetricData, TrialResult
from nni_client.old_trials import metrics_of, profile_of, trials_of

_RECORD = Path("db") / "nni.sqlite"
_COMPANIONS = ("-journal", "-wal")


@dataclass(frozen=True)
class OldExperiment:
    """An experiment of NNI, as its record has it.

    Attributes:
        id: Its id.
        path: Its folder.
        profile: Its configuration ("params"), "execDuration" in seconds, "startTime" and "endTime" in
            milliseconds since 1970, as NNI's profile has them.
        trials: Its trials in the order of their numbers.
        metrics: What the trials reported, by trial, in the order stored.
        imported: What was imported into it: {"parameter": ..., "value": ...} each.
    """

    id: str
    path: Path
    profile: dict[str, Any] = field(default_factory=dict)
    trials: list[TrialJob] = field(default_factory=list)
    metrics: dict[str, list[TrialMetricData]] = field(default_factory=dict)
    imported: list[dict[str, Any]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its name, "" when it has none."""
        return str(self.config.get("experimentName") or "")

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration."""
        params = self.profile.get("params")
        return params if isinstance(params, dict) else {}

    def export_data(self) -> list[TrialResult]:
        """Returns the parameters and final result of every trial that has one."""
        return [
            TrialResult(trial.hyperParameters[0].parameters, trial.finalMetricData[0].data, trial.trialJobId)
            for trial in self.trials
            if trial.finalMetricData and trial.hyperParameters
        ]


def is_old_folder(path: Path) -> bool:
    """Returns whether a folder is an experiment of NNI."""
    try:
        return (path / _RECORD).is_file()
    except OSError:
        return False


def read_old_experiment(path: Path) -> OldExperiment:
    """Reads an experiment of NNI.

    Args:
        path: The experiment's folder.

    Raises:
        RuntimeError: There is no record, or it cannot be read; the text says why.
    """
    record = path / _RECORD
    if not is_old_folder(path):
        raise RuntimeError(f"{path} is no experiment of NNI: it has no {_RECORD}")
    try:
        with _reading(record) as connection:
            profiles = _rows(connection, "ExperimentProfile", "revision, rowid")
            events = _rows(connection, "TrialJobEvent", "rowid")
            reports = _rows(connection, "MetricData", "rowid")
    except (sqlite3.Error, OSError) as error:
        raise RuntimeError(f"The record of NNI in {record} cannot be read: {error}") from error
    profile = profile_of(profiles)
    metrics = metrics_of(reports)
    trials, imported = trials_of(events, metrics)
    return OldExperiment(str(profile.get("id") or path.name), path, profile, trials, metrics, imported)


@contextmanager
def _reading(record: Path) -> Iterator[sqlite3.Connection]:
    companions = [record.with_name(record.name + suffix) for suffix in _COMPANIONS]
    unfinished = [it for it in companions if it.is_file() and it.stat().st_size > 0]
    if not unfinished:
        with closing(_connect(record)) as connection:
            yield connection
        return
    # SQLite has to finish what a crash left half-done; that is done to a copy.
    with tempfile.TemporaryDirectory() as folder:
        for file in (record, *unfinished):
            shutil.copyfile(file, Path(folder) / file.name)
        copy = Path(folder) / record.name
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("PRAGMA schema_version").fetchone()
        with closing(_connect(copy)) as connection:
            yield connection


def _connect(record: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(record.absolute()))}?mode=ro&immutable=1", uri=True)
    connection.row_factory = sqlite3.Row
    return connection


def _rows(connection: sqlite3.Connection, table: str, order: str) -> list[dict[str, Any]]:
    """Returns the rows of a table; which columns there are depends on NNI's version."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
        return []
    return [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY {order}")]
