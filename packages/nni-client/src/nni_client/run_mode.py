"""How long the manager of an experiment lives, seen from the script that starts it."""

from __future__ import annotations

from enum import Enum


class RunMode(Enum):
    """What becomes of the manager when the script that started it ends.

    Attributes:
        Background: It is stopped when the script ends. Its output goes to files in the log folder.
        Foreground: The same, but its output goes where the script's output goes.
        Detach: It goes on. Its output goes to files in the log folder.
    """

    Background = "background"
    Foreground = "foreground"
    Detach = "detach"
