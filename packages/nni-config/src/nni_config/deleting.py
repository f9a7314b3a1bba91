"""Deletes the folder of an experiment, wholly, and nothing outside of it."""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nni_config.experiment_folders import FolderKind, FolderSummary, find_experiment, find_experiments
from nni_config.filesystems import mounts_below
from nni_config.orphan_trials import orphan_trials

_LATEST = "_latest"
_LAST = "db"
_ASIDE = re.compile(r"\.[A-Za-z0-9_-]{1,32}-[0-9a-f]{8}\.deleting")
_OWN = stat.S_IRWXU

_logger = logging.getLogger(__name__)


def check_deletable(folder: FolderSummary) -> None:
    """Refuses an experiment that must not be deleted.

    Args:
        folder: The experiment.

    Raises:
        RuntimeError: It runs, trials of it run, NNI made it, or another file system is mounted in its folder;
            the text says what to do.
    """
    name = f"Experiment {folder.experiment_id}"
    if folder.manager is not None:
        raise RuntimeError(
            f"{name} is running, on port {folder.manager.port}; stop it first: "
            f"nnictl stop {folder.experiment_id}"
        )
    if folder.kind is FolderKind.OLD:
        raise RuntimeError(
            f"{name} was made by Microsoft's NNI, which alone deletes it; by hand: remove {folder.path}"
        )
    trials = orphan_trials(folder.path)
    if trials:
        raise RuntimeError(
            f"{name} has trials that still run ({', '.join(trials[:5])}), although its manager has gone; go "
            f"on with it and stop it: nnictl resume {folder.experiment_id}, "
            f"nnictl stop {folder.experiment_id}"
        )
    mounted = mounts_below(folder.path)
    if mounted:
        raise RuntimeError(
            f"{name}: another file system is mounted in its folder, at {mounted[0]}; unmount it first"
        )


def delete_experiment(folder: FolderSummary) -> None:
    """Deletes an experiment's folder. Links in it are removed, and what they point to is left alone.

    It is given another name first, so that nobody sees half of it. What could not be deleted wholly gets its
    name back, is still an experiment, and can be deleted again: the record goes last. What a process left
    that was killed meanwhile is removed with the next one.

    Args:
        folder: The experiment.

    Raises:
        RuntimeError: `check_deletable` refuses it, a manager is starting, or it is no experiment any more.
        OSError: Something in it cannot be removed.
    """
    path = folder.path
    with _held(path):
        now = find_experiment(path.name, [path.parent])
        if now is None or now.path != path:
            raise RuntimeError(f"{path} is no experiment's folder")
        check_deletable(now)
        _remove_leftovers(path.parent)
        aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}.deleting")
        path.rename(aside)
        try:
            _remove(aside)
        except OSError:
            aside.rename(path)
            raise
    _repair_latest(path)


def _remove(path: Path) -> None:
    _open_up(path)
    for child in sorted(path.iterdir(), key=lambda it: it.name == _LAST):
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()
    path.rmdir()


def _remove_leftovers(directory: Path) -> None:
    for leftover in directory.iterdir():
        if not _ASIDE.fullmatch(leftover.name) or mounts_below(leftover):
            continue
        try:
            with _held(leftover):
                _remove(leftover)
        except (RuntimeError, OSError) as error:  # another process is at it, or it cannot be removed
            _logger.warning("What was left of an experiment, %s, is not removed: %s", leftover, error)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Keeps managers from the folder, as one that runs it keeps others from it."""
    import fcntl  # not on Windows, where the package is imported too

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except NotADirectoryError:
        raise RuntimeError(f"{path} is no experiment's folder: it is a link or a file") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise RuntimeError(
            f"Experiment {path.name} is being started or ended by a manager; try again"
        ) from None
    finally:
        os.close(descriptor)


def _open_up(path: Path) -> None:
    """Lets the owner remove what is in folders that a trial has closed to writing."""
    for directory, names, _ in os.walk(path):
        for name in names:
            child = Path(directory) / name
            mode = child.lstat().st_mode
            if stat.S_ISDIR(mode) and mode & _OWN != _OWN:
                child.chmod(stat.S_IMODE(mode) | _OWN)


def _repair_latest(deleted: Path) -> None:
    """Points `_latest`, if it points to the deleted experiment, to the newest that is left, or removes it."""
    link = deleted.parent / _LATEST
    if not link.is_symlink() or link.resolve() != deleted.resolve():
        return
    left = [it for it in find_experiments([deleted.parent]) if it.kind is FolderKind.EXPERIMENT]
    if not left:
        link.unlink()
        return
    temporary = deleted.parent / f".{_LATEST}-{secrets.token_hex(4)}"
    temporary.symlink_to(left[-1].path.name)
    os.replace(temporary, link)  # noqa: PTH105  Path.replace follows no link either
