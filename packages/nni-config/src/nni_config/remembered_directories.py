"""Which folders have ever held experiments of this user."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from nni_config.paths import absolute_path, default_experiments_directory, is_directory

_FILE_NAME = "experiments-directories"

_logger = logging.getLogger(__name__)


def remembered_file() -> Path:
    """Returns the file that remembers them: in $NNI_CONFIG_DIR, else in ~/.config/nni."""
    named = os.environ.get("NNI_CONFIG_DIR")
    folder = (
        Path(named) if named else Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "nni"
    )
    return folder.absolute() / _FILE_NAME


def remember_experiments_directory(directory: Path) -> None:
    """Notes that a folder holds experiments, so that they are found without naming it.

    The default folder needs no note. That it cannot be noted is logged, and stops nothing.

    Args:
        directory: The folder.
    """
    path = absolute_path(directory, Path.cwd())
    if path == absolute_path(default_experiments_directory(), Path.cwd()):
        return
    file = remembered_file()
    try:
        if path in _read(file):
            return
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One short write at the end of the file: writers at the same time keep each other's lines.
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, _line_break_missing(descriptor) + json.dumps(path).encode() + b"\n")
        finally:
            os.close(descriptor)
    except OSError as error:
        _logger.warning("The folder of experiments %s cannot be noted in %s: %s", path, file, error)


def experiments_directories(also: Iterable[Path] = ()) -> list[Path]:
    """Returns the folders of this user's experiments that exist: the default one, then what is remembered.

    Args:
        also: Folders to begin with.
    """
    remembered: list[str] = []
    try:
        remembered = _read(remembered_file())
    except OSError as error:
        _logger.warning("Which folders hold experiments cannot be read: %s", error)
    candidates = [*map(str, also), str(default_experiments_directory()), *remembered]
    found = dict.fromkeys(absolute_path(each, Path.cwd()) for each in candidates)
    return [Path(each) for each in found if is_directory(each)]


def _read(file: Path) -> list[str]:
    """Returns the noted paths, each once; lines that are none are passed over."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
    paths = []
    for line in lines:
        try:
            path = json.loads(line)
        except ValueError:
            continue
        if isinstance(path, str) and path.startswith("/") and "\0" not in path:
            paths.append(path)
    return list(dict.fromkeys(paths))


def _line_break_missing(descriptor: int) -> bytes:
    size = os.lseek(descriptor, 0, os.SEEK_END)
    return b"" if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n" else b"\n"
