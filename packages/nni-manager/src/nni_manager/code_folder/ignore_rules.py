"""Which paths `.nniignore` leaves out, by the rules of `.gitignore`."""

from __future__ import annotations

import logging
import stat
from collections.abc import Iterator
from pathlib import Path

from nni_manager.code_folder.ignore_pattern import IgnorePattern, ignore_pattern

NAME = ".nniignore"
"""The file at the top of a code folder, or of a folder in it, for what is below."""

_BYTE_ORDER_MARK = "\ufeff"
_LOG = logging.getLogger(__name__)


class IgnoreRules:
    """Tells what is ignored in a code folder.

    Of the lines that match a path the last one decides, of files the one in the deepest folder. A file that
    cannot be read ignores nothing; a line that is no pattern is passed over, as git does. Both are logged.
    """

    def __init__(self, folder: Path) -> None:
        """Reads nothing yet.

        Args:
            folder: The code folder.
        """
        self._folder = folder
        self._patterns: dict[str, list[IgnorePattern]] = {}

    def ignore(self, path: str, is_folder: bool) -> bool:
        """Whether a path is ignored that is in no ignored folder: nothing in one can be taken back.

        Args:
            path: The path below the code folder, with "/" between its parts.
            is_folder: Whether it is a folder. A link is none.
        """
        parent = path
        while parent:
            parent = parent.rpartition("/")[0]
            below = path[len(parent) + 1 :] if parent else path
            for pattern in self._patterns_of(parent):
                if pattern.matches(below, is_folder):
                    return pattern.ignores
        return False

    def _patterns_of(self, parent: str) -> list[IgnorePattern]:
        """Returns the patterns of a folder's file, the last one first."""
        if parent not in self._patterns:
            self._patterns[parent] = list(_patterns_in(self._folder / parent / NAME))[::-1]
        return self._patterns[parent]


def _patterns_in(file: Path) -> Iterator[IgnorePattern]:
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            _LOG.warning("%s is not obeyed: it is not a file", file)
            return
        text = file.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return
    except OSError as error:
        _LOG.warning("%s is not obeyed: %s", file, error)
        return
    for number, line in enumerate(text.removeprefix(_BYTE_ORDER_MARK).split("\n"), 1):
        try:
            pattern = ignore_pattern(line.removesuffix("\r"))
        except ValueError as error:
            _LOG.warning("%s, line %d is passed over: %s", file, number, error)
        else:
            if pattern is not None:
                yield pattern
