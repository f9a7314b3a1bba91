"""Which paths `.nniignore` leaves out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

NAME = ".nniignore"
"""The file at the top of a code folder. Its lines are those of `.gitignore`; deeper ones are not read."""

_LOG = logging.getLogger(__name__)


def ignore_rules(folder: Path) -> Callable[[str, bool], bool]:
    """Returns what tells of a path, relative to the folder, and whether it is a folder, if it is ignored.

    A file that cannot be read ignores nothing; a line that is no pattern is passed over, as git does. Both
    are logged.

    Args:
        folder: The code folder.
    """
    try:
        text = (folder / NAME).read_text("utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return lambda path, is_folder: False
    except OSError as error:
        _LOG.warning("%s is not obeyed: %s", folder / NAME, error)
        return lambda path, is_folder: False
    # Not before there is something to match: it takes as long as a trial takes to start.
    from pathspec import GitIgnoreSpec

    lines = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError as error:
            _LOG.warning("%s, line %d is passed over: %s", folder / NAME, number, error)
        else:
            lines.append(line)
    spec = GitIgnoreSpec.from_lines(lines)
    return lambda path, is_folder: spec.match_file(f"{path}/" if is_folder else path)
