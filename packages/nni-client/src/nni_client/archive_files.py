"""The files that go into an archive."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Set
from pathlib import Path
from typing import NamedTuple

from nni_config.orphan_trials import has_ended

from nni_client.archive_layout import NEVER_SAVED, stays_inside

_NEVER_CODE = frozenset({".git", "__pycache__"})


class SavedFile(NamedTuple):
    """A file, folder or link to be saved.

    Attributes:
        name: Its path within the folder that is saved, with "/".
        path: Where it is.
        mode: Its type and permissions, as `os.stat` has them.
    """

    name: str
    path: Path
    mode: int


def experiment_files(folder: Path, apart: Set[Path], left_out: list[str]) -> Iterator[SavedFile]:
    """Yields what of an experiment's folder is saved, all but the record.

    Args:
        folder: The experiment's folder, links resolved.
        apart: What in it is not to be saved.
        left_out: Is told what is not saved and why, one line each.
    """

    def is_wanted(name: str, path: Path) -> bool:
        if path in apart:
            return False
        if "/" not in name:
            return name not in NEVER_SAVED and name != "db" and not name.startswith(".")
        # The process of a trial that runs is on this machine alone: elsewhere the trial is lost.
        return path.name != "run.json" or path.parents[1].name != ".nni" or has_ended(path)

    return _walk(folder, is_wanted, left_out)


def code_files(folder: Path, apart: Set[Path], left_out: list[str]) -> Iterator[SavedFile]:
    """Yields the trials' code: all but .git, __pycache__, virtual environments and folders of experiments.

    Args:
        folder: The code's folder, links resolved.
        apart: What in it is not to be saved.
        left_out: Is told what is not saved and why, one line each.
    """

    def is_wanted(name: str, path: Path) -> bool:
        if path in apart or path.name in _NEVER_CODE:
            return False
        return not any(map(os.path.lexists, (path / "pyvenv.cfg", path / "db" / "experiment.sqlite")))

    return _walk(folder, is_wanted, left_out)


def _walk(folder: Path, is_wanted: Callable[[str, Path], bool], left_out: list[str]) -> Iterator[SavedFile]:
    pending = [""]
    while pending:
        prefix = pending.pop()
        for path in sorted((folder / prefix).iterdir()):
            name = f"{prefix}/{path.name}" if prefix else path.name
            if not is_wanted(name, path):
                continue
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:
                continue  # gone meanwhile
            problem = _problem(name, path, mode)
            if problem:
                left_out.append(f"{path}: {problem}")
                continue
            yield SavedFile(name, path, mode)
            if stat.S_ISDIR(mode):
                pending.append(name)


def _problem(name: str, path: Path, mode: int) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is no text"
    if "\\" in name:
        return "its name has a backslash"
    if stat.S_ISLNK(mode):
        target = os.readlink(path)  # noqa: PTH115  as it is written, dots and slashes included
        return "" if stays_inside(name, target) else f"a link out of the folder, to {target}"
    return "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else "neither a file nor a folder nor a link"
