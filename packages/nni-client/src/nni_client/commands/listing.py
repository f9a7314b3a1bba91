"""nnictl list."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from nni_config.disk_use import disk_use
from nni_config.experiment_folders import FolderKind, FolderSummary, find_experiments
from nni_proto.v1.experiment_pb2 import Experiment

from nni_client import words
from nni_client.commands.output import is_terminal, print_json, print_table, size_text
from nni_client.commands.showing import read_experiment, status_text
from nni_client.errors import CallError

_ANSWER_SECONDS = 5.0
_AT_ONCE = 8
_COLUMNS = ("ID", "NAME", "STATUS", "TRIALS", "PORT", "PID", "STARTED", "DISK")
_NEVER_STARTED = "NEVER_STARTED"
_UNREADABLE = "UNREADABLE"


def list_experiments(everything: bool, as_json: bool, directory: Path | None) -> None:
    """Prints experiments; one whose manager does not answer is shown with its fault.

    Args:
        everything: Those that have ended too, not only those that run.
        as_json: Print JSON.
        directory: The folder that holds the experiments' folders; None for all that were ever used.

    Raises:
        RuntimeError: There is no such folder.
    """
    if directory is not None and not directory.is_dir():
        raise RuntimeError(f"{directory} is no folder")
    folders = find_experiments(None if directory is None else [directory])
    shown = [it for it in folders if everything or it.is_running]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        rows = list(pool.map(_row, shown))
    if as_json:
        print_json(rows)
        return
    if not rows:
        print("No experiment was found." if everything else "No experiment is running.")
    else:
        print_table(
            _columns(folders),
            [_cells(row, len(_columns(folders)) > len(_COLUMNS)) for row in rows],
            cut=("NAME",),
        )
    for row in rows:
        if row["problem"]:
            print(f"{row['id']}: {row['problem']}", file=sys.stderr)
    ended = len(folders) - len(shown)
    if ended and is_terminal():
        print(f"{ended} more {'has' if ended == 1 else 'have'} ended; see: nnictl list --all")


def _columns(folders: list[FolderSummary]) -> tuple[str, ...]:
    return (*_COLUMNS, "FOLDER") if len({it.directory for it in folders}) > 1 else _COLUMNS


def _cells(row: dict[str, Any], with_folder: bool) -> list[object]:
    cells = [row[name.lower()] for name in _COLUMNS[:-2]]
    cells += [_minute(row["started"]), size_text(row["diskBytes"])]
    return [*cells, row["directory"]] if with_folder else cells


def _minute(time: str | None) -> str | None:
    return f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M %Z}" if time is not None else None


def _row(folder: FolderSummary) -> dict[str, Any]:
    manager, summary = folder.manager, folder.summary
    row: dict[str, Any] = {
        "id": folder.experiment_id,
        "name": None if summary is None else summary.name or None,
        "status": _status(folder),
        "platform": None if summary is None else summary.platform,
        "trials": None if summary is None else summary.trial_count,
        "port": None if manager is None else manager.port,
        "pid": None if manager is None else manager.pid,
        "started": None if summary is None else _local(summary.started_at),
        "ended": None if summary is None else _local(summary.ended_at),
        "directory": str(folder.path),
        "diskBytes": disk_use(folder.path),
        "problem": None,
    }
    if manager is not None:
        # What the folder says may be some seconds old, or of a manager before this one.
        row.update(status=None, ended=None)
        try:
            row.update(_live(read_experiment(folder, _ANSWER_SECONDS)))
        except CallError as error:
            row["problem"] = str(error)
    elif _only_the_record_knows(folder):
        try:
            experiment = read_experiment(folder, _ANSWER_SECONDS)
            row.update(_live(experiment), status=status_text(folder, experiment))
        except RuntimeError as error:
            row.update(status=_UNREADABLE, problem=str(error).partition("\n")[0])
    return row


def _only_the_record_knows(folder: FolderSummary) -> bool:
    """Whether the summary of an experiment that does not run is missing, or older than its record."""
    if folder.kind is FolderKind.OLD or not folder.has_record:
        return False
    return folder.summary is None or folder.is_interrupted


def _live(experiment: Experiment) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": experiment.config.experiment_name or None,
        "status": words.experiment_status(experiment.status),
        "trials": experiment.trial_count,
    }
    if experiment.paused:
        facts["status"] += " (paused)"
    if experiment.HasField("start_time"):
        facts["started"] = _local(experiment.start_time.ToNanoseconds() / 1e9)
    if experiment.HasField("end_time"):
        facts["ended"] = _local(experiment.end_time.ToNanoseconds() / 1e9)
    return facts


def _status(folder: FolderSummary) -> str:
    if folder.kind is FolderKind.OLD:
        return "made by NNI"
    return folder.status_text if folder.has_record else _NEVER_STARTED


def _local(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds).astimezone().isoformat(sep=" ", timespec="seconds")
