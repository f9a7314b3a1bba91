"""The state of a code folder as one hash, and what has changed in it since."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nni_manager.code_folder.code_files import CodePath, Kind, code_paths

MOST_FILES = 10_000
"""Of a folder with more files those nearest to its top are looked at."""

MOST_BYTES = 1 << 20
"""A larger file is known by its size and the time of its last change instead of its content."""

MOST_BYTES_TOGETHER = 1 << 28
"""Once as much was read, further files are known by size and time, too."""

_PROGRAMS = (".bash", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".java", ".jl", ".js", ".lua", ".m")
_MORE_PROGRAMS = (".ipynb", ".pl", ".py", ".pyx", ".r", ".rs", ".sh", ".sql", ".ts")
_SETTINGS = (".cfg", ".conf", ".ini", ".json", ".toml", ".xml", ".yaml", ".yml")

SOURCE_SUFFIXES = frozenset((*_PROGRAMS, *_MORE_PROGRAMS, *_SETTINGS))
"""In files with these names an added line is a change. Others that only grow are a program's output."""

_CHUNK = 1 << 18
_NAMED = 3
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Known:
    """What is known of a file.

    Attributes:
        signature: Its size, time of last change and whether it may be executed. While it stays the same the
            file is taken to be unchanged.
        content: What stands for its content, "" before it was read.
        by_content: Whether that was made of all that it held when the signature was taken.
    """

    signature: tuple[int, int, bool]
    content: str = ""
    by_content: bool = False


class CodeState:
    """The files of a code folder as they were once."""

    def __init__(
        self,
        folder: Path,
        experiments_directory: Path,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Notes which files there are, with size and time; `read` reads them, which takes longer.

        Args:
            folder: The code folder.
            experiments_directory: Where the folders of experiments are; they are no code.
            is_over: Whether nobody waits for the answer any more; asked before each file.
        """
        self.folder = folder
        self._is_over = is_over
        self._budget = 0
        self._known: dict[CodePath, _Known] = {}
        self._unreadable: list[OSError] = []
        for code_path in code_paths(folder, experiments_directory, self._unreadable.append):
            if code_path.kind not in (Kind.FILE, Kind.LINK):
                continue
            if is_over():
                break
            if len(self._known) == MOST_FILES:
                _LOG.warning(
                    "%s holds more than %d files: only those nearest to its top count as code; "
                    "what is no code can be named in .nniignore",
                    folder,
                    MOST_FILES,
                )
                break
            try:
                self._known[code_path] = _Known(_signature(os.lstat(folder / code_path.path)))
            except OSError as error:
                self._unreadable.append(error)

    def read(self) -> str:
        """Reads the files and returns their hash, 64 hexadecimal digits.

        It is SHA-256 over the paths in order, each with its kind, whether it may be executed, and the SHA-256
        of its content or its target. It depends on nothing else as long as no file is known by size and time.
        """
        total = hashlib.sha256()
        self._budget = MOST_BYTES_TOGETHER
        for code_path in sorted(self._known, key=lambda each: os.fsencode(each.path)):
            if self._is_over():
                break
            known, now = self._known[code_path], self._look(code_path)
            known.content = "unreadable" if now is None else now.content
            known.by_content = now is not None and now.by_content and now.signature == known.signature
            executable = "x" if known.signature[2] else "-"
            for part in (code_path.path, code_path.kind.value, executable, known.content):
                total.update(os.fsencode(part) + b"\0")
        if self._unreadable:
            _LOG.warning(
                "%d files or folders in %s cannot be read and do not count as code, the first one: %s",
                len(self._unreadable),
                self.folder,
                self._unreadable[0],
            )
        return total.hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Returns what `read` found, as a JSON value that `from_json` takes."""
        return {
            code_path.path: [code_path.kind.value, *known.signature, known.content, known.by_content]
            for code_path, known in self._known.items()
            if code_path.path.isprintable()
        }

    @classmethod
    def from_json(
        cls, folder: Path, files: dict[str, Any], is_over: Callable[[], bool] = lambda: False
    ) -> CodeState:
        """Returns an earlier state of a folder, of which `changed` tells what has changed since.

        Args:
            folder: Where the code is now.
            files: What `to_json` returned.
            is_over: As for a new state.

        Raises:
            ValueError, TypeError: It is something else.
        """
        state = cls.__new__(cls)
        state.folder, state._is_over, state._budget, state._unreadable = folder, is_over, 0, []
        state._known = {
            CodePath(path, Kind(kind)): _Known(
                (int(size), int(changed_at), bool(may_run)), content, by_content
            )
            for path, (kind, size, changed_at, may_run, content, by_content) in files.items()
        }
        return state

    def changed(self) -> list[str]:
        """Returns which files are no longer what they were, by name.

        New files do not count, nor those that only grow and are no source: logs. It comes after `read`. What
        was read is read again only where size or time differ.
        """
        changed = []
        for code_path, before in self._known.items():
            if self._is_over():
                return []
            if self._has_changed(code_path, before):
                changed.append(code_path.path)
        return sorted(changed, key=os.fsencode)

    def _has_changed(self, code_path: CodePath, before: _Known) -> bool:
        try:
            signature = _signature(os.lstat(self.folder / code_path.path))
        except OSError:
            return True
        if signature == before.signature:
            return False
        if signature[2] != before.signature[2]:
            return True
        if self._only_grew(code_path, before, signature[0]):
            return False
        if not before.by_content:
            return True
        if code_path.kind is Kind.FILE and signature[0] != before.signature[0]:
            return True
        self._budget = MOST_BYTES_TOGETHER
        now = self._look(code_path)
        if now is None or now.content != before.content:
            return True
        before.signature = now.signature
        return False

    def _only_grew(self, code_path: CodePath, before: _Known, size: int) -> bool:
        """Whether a file that is no source still begins with all that it held."""
        path = self.folder / code_path.path
        if code_path.kind is not Kind.FILE or size <= before.signature[0]:
            return False
        if path.suffix.lower() in SOURCE_SUFFIXES:
            return False
        try:
            return not before.by_content or _hash_of(path, before.signature[0]) == before.content
        except OSError:
            return False

    def _look(self, code_path: CodePath) -> _Known | None:
        path = self.folder / code_path.path
        try:
            status = os.lstat(path)
            signature = _signature(status)
            if stat.S_ISLNK(status.st_mode):
                target = os.fsencode(os.readlink(path))  # noqa: PTH115  Path would change its text
                return _Known(signature, hashlib.sha256(target).hexdigest(), by_content=True)
            if not stat.S_ISREG(status.st_mode):
                return _Known(signature, "no file", by_content=False)
            if status.st_size > MOST_BYTES or status.st_size > self._budget:
                return _Known(signature, f"{status.st_size} {status.st_mtime_ns}", by_content=False)
            self._budget -= status.st_size
            return _Known(signature, _hash_of(path), by_content=True)
        except OSError as error:
            self._unreadable.append(error)
            return None


def change_warning(folder: Path, changed: list[str], when: str = "while the experiment runs") -> str:
    """Returns what is said once when code has changed during an experiment.

    Args:
        folder: The code folder.
        changed: The files that changed, at least one.
        when: When that was.
    """
    names = ", ".join(map(_printable, changed[:_NAMED]))
    more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    return (
        f"Files in {_printable(str(folder))} changed or went {when}: {names}{more}. "
        "Trials that start now may run other code than those before. With snapshot_code every trial runs in "
        "one copy; files that are no code can be named in .nniignore."
    )


def _printable(name: str) -> str:
    return name if name.isprintable() else ascii(name)


def _signature(status: os.stat_result) -> tuple[int, int, bool]:
    return status.st_size, status.st_mtime_ns, bool(status.st_mode & stat.S_IXUSR)


def _hash_of(path: Path, size: int | None = None) -> str:
    """Returns the hash of a file's content, or of so many bytes at its beginning."""
    total = hashlib.sha256()
    # A pipe may have taken the file's place since: opening that must not wait for a writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as file:
        while chunk := file.read(_CHUNK if size is None else min(_CHUNK, size)):
            total.update(chunk)
            if size is not None:
                size -= len(chunk)
    return total.hexdigest()
