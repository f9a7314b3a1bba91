"""The client's log file in the experiment's folder."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

LOGGER = logging.getLogger("nni.client")
"""What goes wrong on the client's side is logged here."""

_ROOT = logging.getLogger("nni")
_FORMAT = "[%(asctime)s] %(levelname)s (%(name)s) %(message)s"
_TIME_FORMAT = "%Y-%m-%d %H:%M:%S%z"


class ExperimentLog:
    """Writes everything that is logged under "nni" to log/experiment.log, from its making to its closing.

    Warnings are shown on stderr as well while the program has set up no logging of its own.
    """

    def __init__(self, log_directory: Path) -> None:
        """Opens the file.

        Args:
            log_directory: The experiment's log folder; it exists.

        Raises:
            OSError: The file cannot be written.
        """
        path = log_directory / "experiment.log"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        file = logging.FileHandler(path, encoding="utf-8")
        file.setFormatter(logging.Formatter(_FORMAT, _TIME_FORMAT))
        self._file = file
        _show_warnings()
        _ROOT.addHandler(file)

    def note(self, text: str) -> None:
        """Writes a text to the file only."""
        self._file.handle(LOGGER.makeRecord(LOGGER.name, logging.INFO, "", 0, text, (), None))

    def close(self) -> None:
        """Closes the file; calling it again changes nothing."""
        _ROOT.removeHandler(self._file)
        self._file.close()


def _show_warnings() -> None:
    # Without any handler Python itself would show warnings; with the file alone it would not.
    if _ROOT.hasHandlers():
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    _ROOT.addHandler(handler)
