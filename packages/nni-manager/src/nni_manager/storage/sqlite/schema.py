"""The tables, and how files of older versions become files of this one."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from nni_manager.storage.interface import NewerRecordError, StorageError

APPLICATION_ID = 0x4E4E4934
"""Marks a file as the record of an experiment: the letters NNI4."""

_VERSION_1 = """
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
);
INSERT INTO state VALUES (1, 0);

CREATE TABLE experiment (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    experiment_id TEXT NOT NULL,
    status TEXT NOT NULL,
    optimize_mode TEXT NOT NULL,
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    running_seconds REAL NOT NULL,
    running_since REAL,
    end_reason TEXT,
    errors TEXT NOT NULL,
    next_sequence_number INTEGER NOT NULL,
    next_parameter_id INTEGER NOT NULL,
    create_request_id TEXT NOT NULL,
    revision INTEGER NOT NULL
);

-- Apart from the experiment: it may be megabytes and hardly ever changes.
CREATE TABLE experiment_config (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    config TEXT NOT NULL
);

CREATE TABLE trials (
    sequence_number INTEGER PRIMARY KEY,
    trial_id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    parameter_id INTEGER,
    parameter_source TEXT NOT NULL,
    parameters TEXT NOT NULL,
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    end_reason TEXT,
    waiting_reason TEXT NOT NULL,
    has_final_result INTEGER NOT NULL,
    final_result TEXT NOT NULL,
    objective REAL,
    revision INTEGER NOT NULL
);
CREATE INDEX trials_by_revision ON trials (revision);
CREATE INDEX trials_by_status ON trials (status);
CREATE INDEX trials_by_objective ON trials (objective)
    WHERE status = 'SUCCEEDED' AND objective IS NOT NULL;

CREATE TABLE trial_counts (
    status TEXT PRIMARY KEY,
    trials INTEGER NOT NULL
) WITHOUT ROWID;

-- Apart from the trials: a result changes a few numbers, not a row with parameters.
CREATE TABLE trial_results (
    trial_id TEXT PRIMARY KEY,
    intermediate_count INTEGER NOT NULL,
    final_count INTEGER NOT NULL,
    latest_intermediate_index INTEGER NOT NULL,
    latest_intermediate_row INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE metrics (
    row INTEGER PRIMARY KEY,
    trial_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    kind TEXT NOT NULL,
    metric_index INTEGER NOT NULL,
    value TEXT NOT NULL,
    reported_at REAL NOT NULL,
    late INTEGER NOT NULL,
    revision INTEGER NOT NULL
);
CREATE INDEX metrics_by_trial ON metrics (trial_id);
CREATE INDEX metrics_by_revision ON metrics (revision);
CREATE INDEX final_metrics ON metrics (row) WHERE kind = 'FINAL';
CREATE INDEX final_metrics_by_trial ON metrics (trial_id) WHERE kind = 'FINAL';

-- The numbers in a result, for charts. The kind is number, nan, inf or -inf; SQLite has no NaN.
CREATE TABLE metric_entries (
    metric_row INTEGER NOT NULL,
    key TEXT NOT NULL,
    value REAL,
    kind TEXT NOT NULL,
    PRIMARY KEY (metric_row, key)
) WITHOUT ROWID;

CREATE TABLE reporters (
    trial_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    reporter TEXT NOT NULL,
    highest_number INTEGER NOT NULL,
    PRIMARY KEY (trial_id, attempt, reporter)
) WITHOUT ROWID;

CREATE TABLE report_files (
    trial_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    end_offset INTEGER NOT NULL,
    PRIMARY KEY (trial_id, attempt)
) WITHOUT ROWID;
"""

_ORIGIN = """
experiment_origin (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    origin TEXT NOT NULL,
    warnings TEXT NOT NULL
);
"""

# Apart from the experiment: it may name hundreds of packages and hardly ever changes.
_VERSION_2 = f"CREATE TABLE {_ORIGIN}"

# The results of a trial are counted for each attempt of it. What the tuner was told and answered was not kept
# before: it is put together from the trials, in the order of their times.
_VERSION_3 = """
ALTER TABLE state ADD COLUMN committed_at REAL;

ALTER TABLE experiment ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE experiment ADD COLUMN initial_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE experiment ADD COLUMN import_request_ids TEXT NOT NULL DEFAULT '[]';

ALTER TABLE trials ADD COLUMN submitted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trials ADD COLUMN cancel_reason TEXT;
ALTER TABLE trials ADD COLUMN earlier_ends TEXT NOT NULL DEFAULT '[]';
ALTER TABLE trials ADD COLUMN create_request_id TEXT NOT NULL DEFAULT '';
CREATE INDEX trials_by_request ON trials (create_request_id) WHERE create_request_id <> '';

ALTER TABLE trial_results RENAME TO trial_results_before;
CREATE TABLE trial_results (
    trial_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    intermediate_count INTEGER NOT NULL,
    final_count INTEGER NOT NULL,
    latest_intermediate_index INTEGER NOT NULL,
    latest_intermediate_row INTEGER NOT NULL,
    PRIMARY KEY (trial_id, attempt)
) WITHOUT ROWID;
INSERT INTO trial_results
    SELECT trial_id, 0, intermediate_count, final_count, latest_intermediate_index, latest_intermediate_row
    FROM trial_results_before;
DROP TABLE trial_results_before;

-- A number is 0 where nothing was told; parameters and results are those of the trial unless data has others.
CREATE TABLE tuner_notes (
    row INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    number INTEGER NOT NULL,
    parameter_ids TEXT NOT NULL,
    trial_id TEXT NOT NULL,
    data TEXT,
    revision INTEGER NOT NULL
);

UPDATE state SET committed_at = (SELECT max(at) FROM (
    SELECT created_at AS at FROM experiment UNION ALL SELECT started_at FROM experiment
    UNION ALL SELECT ended_at FROM experiment UNION ALL SELECT created_at FROM trials
    UNION ALL SELECT started_at FROM trials UNION ALL SELECT ended_at FROM trials));
UPDATE trials SET submitted = 1 WHERE status <> 'WAITING' OR waiting_reason NOT LIKE 'every slot is taken%';
INSERT INTO tuner_notes (kind, number, parameter_ids, trial_id, revision)
    SELECT kind, 0, parameter_ids, trial_id, (SELECT revision FROM state) FROM (
        SELECT 'ASKED' AS kind, '[' || parameter_id || ']' AS parameter_ids, '' AS trial_id,
            created_at AS at, sequence_number AS trial, 1 AS step
            FROM trials WHERE parameter_id IS NOT NULL
        UNION ALL SELECT 'PROPOSED', '[' || parameter_id || ']', trial_id, created_at, sequence_number, 2
            FROM trials WHERE parameter_id IS NOT NULL
        UNION ALL SELECT 'FINAL_RESULT', '[]', trial_id, coalesce(ended_at, started_at, created_at),
            sequence_number, 3 FROM trials WHERE has_final_result
        UNION ALL SELECT 'TRIAL_END', '[]', trial_id, ended_at, sequence_number, 4
            FROM trials WHERE ended_at IS NOT NULL)
    ORDER BY at, trial, step;
UPDATE tuner_notes SET number = row WHERE kind <> 'PROPOSED';
"""

_VERSION_4 = """
ALTER TABLE trials ADD COLUMN host TEXT NOT NULL DEFAULT '';
ALTER TABLE trials ADD COLUMN gpus TEXT NOT NULL DEFAULT '[]';
"""

MIGRATIONS: tuple[str, ...] = (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4)
"""Script i makes a file of version i + 1 out of one of version i; an empty file has version 0."""

# In a view of a file that was brought forward meanwhile the file's own columns come first and count.
_READ_3 = """
CREATE TEMP VIEW trials AS SELECT *, '' AS host, '[]' AS gpus FROM main.trials;
"""
_READ_2 = """
CREATE TEMP VIEW state AS SELECT *, NULL AS committed_at FROM main.state;
CREATE TEMP VIEW experiment AS
    SELECT *, 0 AS paused, 0 AS initial_count, '[]' AS import_request_ids FROM main.experiment;
CREATE TEMP VIEW trials AS
    SELECT *, 0 AS submitted, NULL AS cancel_reason, '[]' AS earlier_ends, '' AS create_request_id,
        '' AS host, '[]' AS gpus
    FROM main.trials;
CREATE TEMP VIEW trial_results AS SELECT *, 0 AS attempt FROM main.trial_results;
CREATE TEMP TABLE tuner_notes (row, kind, number, parameter_ids, trial_id, data, revision);
"""

READING_AIDS: Mapping[int, str] = {1: f"CREATE TEMP TABLE {_ORIGIN}" + _READ_2, 2: _READ_2, 3: _READ_3}
"""What makes a file of a version readable as one of the newest without a change to it, where that can be."""


def check(connection: sqlite3.Connection, path: Path, migrations: Sequence[str] = MIGRATIONS) -> int:
    """Returns the version of a file.

    Raises:
        StorageError: The file is something else, or of a version newer than is known here.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    if application != APPLICATION_ID and (application or version or tables):
        raise StorageError(f"{path} is a database, but not the record of an experiment")
    if version > len(migrations):
        raise NewerRecordError(
            f"{path} has version {version} and this program knows versions up to {len(migrations)}: "
            "open it with a newer program"
        )
    return version


def prepare_to_read(connection: sqlite3.Connection, path: Path) -> None:
    """Sees to it that a file can be read as one of the newest version; the file stays as it is.

    Raises:
        StorageError: It cannot, or as `check`.
    """
    version = check(connection, path)
    if version == len(MIGRATIONS):
        return
    if version not in READING_AIDS:
        raise StorageError(f"{path} is of an older version: it must be opened for writing once")
    connection.executescript(READING_AIDS[version])


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Brings a file to the newest version: wholly, or not at all.

    Raises:
        StorageError: As `check`.
    """
    version = check(connection, path, migrations)
    if version == len(migrations):
        return
    scripts = "".join(migrations[version:])
    stamps = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {len(migrations)};"
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {scripts} {stamps} COMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
