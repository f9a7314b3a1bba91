"""nnictl experiment delete."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from nni_config.deleting import check_deletable, delete_experiment
from nni_config.disk_use import disk_use
from nni_config.durations import parse_duration
from nni_config.experiment_folders import FolderSummary, find_experiments

from nni_client.commands.output import print_table, size_text
from nni_client.commands.selection import find

_COLUMNS = ("ID", "NAME", "STATUS", "ENDED", "DISK", "FOLDER")


class Choice(NamedTuple):
    """Which experiments are meant.

    Attributes:
        ids: Their ids or first letters; none for all that have ended.
        older_than: Only those that ended longer ago than this, such as "30d"; None for any.
        directory: The folder that holds their folders; None for all that were ever used.
    """

    ids: Sequence[str]
    older_than: str | None
    directory: Path | None


def delete(choice: Choice, dry_run: bool, ask: bool) -> int:
    """Deletes experiments after showing them and asking.

    Args:
        choice: Which.
        dry_run: Only show them.
        ask: Whether to ask.

    Returns:
        The exit code: 1 when one could not be deleted.

    Raises:
        RuntimeError: One that is named is not there or must not be deleted, or nobody answers.
        ValueError: The age is no duration.
    """
    folders = _named(choice) if choice.ids else _ended(choice)
    if not folders:
        print("There is nothing to delete.")
        return 0
    sizes = {folder.path: disk_use(folder.path) for folder in folders}
    print_table(_COLUMNS, [_row(folder, sizes[folder.path]) for folder in folders], cut=("NAME",))
    total = f"{len(folders)} experiment{'' if len(folders) == 1 else 's'}, {size_text(sum(sizes.values()))}"
    if dry_run:
        print(f"Would delete {total}.")
        return 0
    if ask and not _is_wanted(f"Delete {total}, for good?"):
        print("Nothing was deleted.")
        return 0
    return _delete(folders, sizes)


def _delete(folders: Sequence[FolderSummary], sizes: dict[Path, int]) -> int:
    freed, failed = 0, 0
    for folder in folders:
        try:
            delete_experiment(folder)
        except (RuntimeError, OSError) as error:
            print(f"ERROR: experiment {folder.experiment_id} is not deleted: {error}", file=sys.stderr)
            failed = 1
            continue
        freed += sizes[folder.path]
        print(f"Deleted experiment {folder.experiment_id}")
    print(f"Freed {size_text(freed)}.")
    return failed


def _named(choice: Choice) -> list[FolderSummary]:
    folders = [find(experiment_id, choice.directory) for experiment_id in choice.ids]
    for folder in folders:
        check_deletable(folder)
    return list({folder.path: folder for folder in folders}.values())


def _ended(choice: Choice) -> list[FolderSummary]:
    """Returns all that may be deleted; of the others that are old enough it is said why they are kept."""
    if choice.directory is not None and not choice.directory.is_dir():
        raise RuntimeError(f"{choice.directory} is no folder")
    age = 0.0 if choice.older_than is None else parse_duration(choice.older_than)
    found = find_experiments(None if choice.directory is None else [choice.directory])
    chosen = []
    for folder in found:
        if choice.older_than is not None and (folder.is_running or _ended_at(folder) > time.time() - age):
            continue
        try:
            check_deletable(folder)
        except RuntimeError as error:
            print(f"Kept: {error}", file=sys.stderr)
            continue
        chosen.append(folder)
    return chosen


def _ended_at(folder: FolderSummary) -> float:
    """Returns when an experiment ended, or was last written to when that is not known."""
    if folder.summary is not None:
        return folder.summary.ended_at or folder.summary.written_at
    files = (folder.path, *folder.path.glob("db/*"), *folder.path.glob("log/*"))
    return max(file.stat().st_mtime for file in files)


def _row(folder: FolderSummary, size: int) -> list[object]:
    ended = f"{datetime.fromtimestamp(_ended_at(folder)).astimezone():%Y-%m-%d %H:%M %Z}"
    name = None if folder.summary is None else folder.summary.name
    status = folder.status or ("UNKNOWN" if folder.has_record else "NEVER_STARTED")
    return [folder.experiment_id, name, status, ended, size_text(size), folder.path]


def _is_wanted(question: str) -> bool:
    try:
        return input(f"{question} [y/N]: ").strip().lower() in ("y", "yes")
    except EOFError:
        raise RuntimeError(
            "Nothing was deleted, since nobody answered; --yes deletes without asking"
        ) from None
