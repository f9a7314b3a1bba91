"""Which files of a code folder count as code."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from nni_manager.code_folder.ignore_rules import IgnoreRules

NEVER_CODE = frozenset({".git", "__pycache__"})
"""Names of what is never code."""


class Kind(Enum):
    """What a path is.

    Attributes:
        FILE: A file.
        LINK: A symbolic link, to whatever.
        FOLDER: A folder.
        ENVIRONMENT: A folder that holds a virtual environment. What is in it does not count.
        SPECIAL: A socket, a pipe or a device.
    """

    FILE = "file"
    LINK = "link"
    FOLDER = "folder"
    ENVIRONMENT = "environment"
    SPECIAL = "special"


@dataclass(frozen=True, slots=True)
class CodePath:
    """A path in a code folder.

    Attributes:
        path: The path below the folder, with "/" between its parts.
        kind: What it is.
    """

    path: str
    kind: Kind


def code_paths(
    folder: Path,
    experiments_directory: Path,
    unreadable: Callable[[OSError], None],
    rules: IgnoreRules | None = None,
) -> Iterator[CodePath]:
    """Yields what a code folder holds: what is nearer to its top first, and then by name.

    Left out are `.git`, `__pycache__`, what `.nniignore` names, and experiments. Links are not followed.

    Args:
        folder: The code folder.
        experiments_directory: Where the folders of experiments are.
        unreadable: Gets the error for each folder that cannot be read.
        rules: Tells what `.nniignore` names, if that is needed for more.
    """
    rules = rules or IgnoreRules(folder)
    experiments = _real(experiments_directory)
    waiting = deque([""])
    while waiting:
        parent = waiting.popleft()
        try:
            with os.scandir(folder / parent) as scan:
                entries = sorted(scan, key=lambda entry: os.fsencode(entry.name))
            here_are_experiments = _real(folder / parent) == experiments
        except OSError as error:
            unreadable(error)
            continue
        for entry in entries:
            if entry.name in NEVER_CODE or (here_are_experiments and entry.name == "_latest"):
                continue
            path = f"{parent}/{entry.name}" if parent else entry.name
            kind = _kind(entry)
            is_folder = kind in (Kind.FOLDER, Kind.ENVIRONMENT)
            if rules.ignore(path, is_folder) or (is_folder and _holds_experiments(entry.path, experiments)):
                continue
            yield CodePath(path, kind)
            if kind is Kind.FOLDER:
                waiting.append(path)


def is_environment(folder: os.PathLike[str]) -> bool:
    """Whether a folder holds a virtual environment: packages, which are recorded by their versions."""
    return Path(folder, "pyvenv.cfg").exists()


def _kind(entry: os.DirEntry[str]) -> Kind:
    if entry.is_symlink():
        return Kind.LINK
    if entry.is_file():
        return Kind.FILE
    if entry.is_dir():
        return Kind.ENVIRONMENT if is_environment(entry) else Kind.FOLDER
    return Kind.SPECIAL


def _holds_experiments(path: str, experiments: str) -> bool:
    """Whether a folder is that of all experiments, or of one of any."""
    return _real(Path(path)) == experiments or Path(path, "db", "experiment.sqlite").exists()


def _real(path: Path) -> str:
    return os.path.realpath(path)
