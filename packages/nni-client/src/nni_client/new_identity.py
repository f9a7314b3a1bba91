"""Gives an experiment that is loaded another id; the ids of its trials follow from that."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from nni_config.experiment_summary import read_summary, write_summary
from nni_config.trial_ids import trial_id

from nni_client.archive_layout import ArchiveError

_TRIALS = "trials"
_COLUMNS = """
SELECT tables.name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
WHERE tables.type = 'table' AND columns.name = 'trial_id'
"""


def give_new_id(folder: Path, record: Path, experiment_id: str) -> None:
    """Changes an experiment's id and those of its trials, in its record, its summary and its folders.

    Args:
        folder: The experiment's folder.
        record: Its database, which was checked.
        experiment_id: The new id.

    Raises:
        ArchiveError: Two trials would have the same folder.
        sqlite3.Error: The record is not as it should be.
    """
    with closing(sqlite3.connect(record)) as connection, connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        renamed = _rename_in_record(connection, experiment_id)
    _rename_folders(folder / _TRIALS, renamed)
    summary = read_summary(folder)
    if summary is not None:
        best = renamed.get(summary.best_trial_id, summary.best_trial_id)
        write_summary(replace(summary, experiment_id=experiment_id, best_trial_id=best), folder)


def _rename_in_record(connection: sqlite3.Connection, experiment_id: str) -> dict[str, str]:
    """Returns the new ids of the trials by their old ones."""
    numbers = connection.execute("SELECT trial_id, sequence_number FROM trials")
    renamed = {str(old): trial_id(experiment_id, number) for old, number in numbers}
    connection.execute("UPDATE experiment SET experiment_id = ?", (experiment_id,))
    connection.execute("CREATE TEMP TABLE renamed (old TEXT PRIMARY KEY, new TEXT NOT NULL)")
    connection.executemany("INSERT INTO temp.renamed VALUES (?, ?)", renamed.items())
    for (table,) in connection.execute(_COLUMNS).fetchall():
        name = '"' + table.replace('"', '""') + '"'
        # By way of ids that no trial has: the new id of one may be the old id of another.
        connection.execute(
            f"UPDATE main.{name} SET trial_id = ' ' || (SELECT new FROM temp.renamed WHERE old = trial_id) "
            "WHERE trial_id IN (SELECT old FROM temp.renamed)"
        )
        connection.execute(f"UPDATE main.{name} SET trial_id = substr(trial_id, 2) WHERE trial_id LIKE ' %'")
    return renamed


def _rename_folders(trials: Path, renamed: dict[str, str]) -> None:
    if trials.is_symlink() or not trials.is_dir():
        return
    before = trials.with_name(".trials-before")
    trials.rename(before)
    trials.mkdir(mode=0o700)
    for path in before.iterdir():
        new = trials / renamed.get(path.name, path.name)
        if new.exists() or new.is_symlink():
            raise ArchiveError(f"it has two folders of a trial {new.name}")
        path.rename(new)
    before.rmdir()
