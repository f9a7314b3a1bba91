"""Folders: what relative paths are relative to, and where experiments lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_base_path: ContextVar[Path | None] = ContextVar("nni_config_base_path", default=None)


def current_base_path() -> Path:
    """Returns the folder that relative paths of a new configuration are relative to."""
    return _base_path.get() or Path.cwd()


@contextmanager
def base_path(folder: Path) -> Iterator[None]:
    """Makes relative paths of configurations built inside relative to a folder."""
    token = _base_path.set(folder)
    try:
        yield
    finally:
        _base_path.reset(token)


def set_base_path(folder: Path) -> None:
    """Makes relative paths of configurations built from now on relative to a folder.

    Raises:
        RuntimeError: There is one already.
    """
    if _base_path.get() is not None:
        raise RuntimeError(f"relative paths are relative to {_base_path.get()} already; unset that first")
    _base_path.set(folder)


def unset_base_path() -> None:
    """Makes relative paths of configurations built from now on relative to the working directory."""
    _base_path.set(None)


def absolute_path(path: str | os.PathLike[str], base: Path) -> str:
    """Returns a path with `~` expanded, made absolute, links resolved. It need not exist.

    Raises:
        ValueError: It begins with the home folder of a user that there is not.
    """
    try:
        return os.path.realpath(base / Path(path).expanduser())
    except RuntimeError:
        raise ValueError(f"{os.fspath(path)!r} names no known home folder; allowed is a path") from None


def is_directory(path: str | os.PathLike[str]) -> bool:
    """Returns whether there is a folder at a path; a path that no system allows is none."""
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def is_file(path: str | os.PathLike[str]) -> bool:
    """Returns whether there is a file at a path; a path that no system allows is none."""
    try:
        return Path(path).is_file()
    except OSError:
        return False


def default_experiments_directory() -> Path:
    """Returns the folder that holds experiments unless another is named: ~/nni-experiments."""
    return Path.home() / "nni-experiments"
