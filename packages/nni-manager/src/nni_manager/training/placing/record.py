"""Where each attempt was put, as a file that outlives the manager.

`placements.jsonl` in the experiment's folder has a line for each place that was given, written before the
attempt is launched, and a line for each end, written before the end is told:

    {"trial": "abcde", "attempt": 0, "host": "gpu-a", "gpus": [[1, "GPU-5a3..."]]}
    {"trial": "abcde", "attempt": 0, "ended": true}

So an attempt that is not in it was never launched, and one without an end may still run.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nni_manager.training.placement import Attempt, Placement, ReservedGpu

logger = logging.getLogger(__name__)

FILE_NAME = "placements.jsonl"


class PlacementRecord:
    """The file, open for writing, and what is to be remembered of it."""

    def __init__(self, experiment_directory: Path) -> None:
        """Makes a record that is not open yet.

        Args:
            experiment_directory: The experiment's folder.
        """
        self._path = experiment_directory / FILE_NAME
        self._descriptor = -1
        self._is_torn = False
        self._hosts: dict[str, tuple[int, str]] = {}
        self._names: dict[str, str] = {}

    def open(self) -> dict[Attempt, Placement]:
        """Opens the file, made if missing, and returns the places of the attempts that may still run.

        Raises:
            OSError: It cannot be read or written.
        """
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        content = self._path.read_bytes()
        self._is_torn = bool(content) and not content.endswith(b"\n")
        open_places: dict[Attempt, Placement] = {}
        for number, line in enumerate(content.split(b"\n"), 1):
            if line:
                self._take(number, line, open_places)
        return open_places

    def add(self, placements: Mapping[Attempt, Placement]) -> None:
        """Notes places. They are safe from the end of this process, and after `sync` from a power failure.

        Raises:
            OSError: They could not be written; none of them counts then.
        """
        self._write([_place_line(attempt, placement) for attempt, placement in placements.items()])
        for (trial_id, attempt), placement in placements.items():
            self._remember(trial_id, attempt, placement.host)

    def add_ends(self, attempts: Iterable[Attempt]) -> None:
        """Notes that attempts have ended.

        Raises:
            OSError: That could not be written.
        """
        self._write([_line(attempt, ended=True) for attempt in attempts])

    def sync(self) -> None:
        """Brings what was written to the disk; may be called in another thread.

        Raises:
            OSError: That failed.
        """
        os.fsync(self._descriptor)

    def host_of(self, trial_id: str, attempt: int | None = None) -> str | None:
        """Returns the host that the last attempt of a trial was put on.

        Args:
            trial_id: The trial.
            attempt: Makes the answer None if that was another attempt.
        """
        last, host = self._hosts.get(trial_id, (0, ""))
        return host if host and attempt in (None, last) else None

    def close(self) -> None:
        """Closes the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, number: int, line: bytes, open_places: dict[Attempt, Placement]) -> None:
        try:
            values = json.loads(line)
            attempt = (str(values["trial"]), int(values["attempt"]))
            if "ended" in values:
                open_places.pop(attempt, None)
                return
            gpus = tuple(ReservedGpu(int(index), str(name)) for index, name in values["gpus"])
            placement = Placement(str(values["host"]), gpus)
        except (ValueError, KeyError, TypeError):
            # A line is torn where the machine or the disk gave up while it was written: nothing was launched.
            logger.warning("%s: line %d is not whole and is left out", self._path, number)
            return
        open_places[attempt] = placement
        self._remember(*attempt, placement.host)

    def _remember(self, trial_id: str, attempt: int, host: str) -> None:
        self._hosts[trial_id] = (attempt, self._names.setdefault(host, host))

    def _write(self, lines: list[bytes]) -> None:
        """Writes lines, and first ends one that is torn."""
        data = b"".join([b"\n"] * self._is_torn + lines)
        self._is_torn = True
        written = os.write(self._descriptor, data)
        if written < len(data):
            os.write(self._descriptor, data[written:])  # says why not all could be written
        self._is_torn = False


def _place_line(attempt: Attempt, placement: Placement) -> bytes:
    gpus = [[gpu.index, gpu.identifier] for gpu in placement.gpus]
    return _line(attempt, host=placement.host, gpus=gpus)


def _line(attempt: Attempt, **values: Any) -> bytes:
    return json.dumps({"trial": attempt[0], "attempt": attempt[1], **values}).encode() + b"\n"
