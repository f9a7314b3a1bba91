"""Attempts that have ended and are fetched: their story is told from what is here, as often as it is wanted.

Their folders on the machine may be gone, and the manager may have died before it stored their end.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from nni.courier import events
from nni.courier.reports import read_batch, report_size
from nni.trial_folder import checked_trial_id

from nni_manager.engine.events import TrialEnded, TrialStarted
from nni_manager.training import courier_messages as messages
from nni_manager.training.host import HostEmit
from nni_manager.training.ssh.mirror_folder import MirrorFolder, write_all

NOTE = "ended.json"


@dataclass
class _Told:
    """How far the story of an attempt was told, and what is to be stored before it goes on."""

    position: int
    outstanding: int | None = None


class FinishedAttempts:
    """Notes ends and tells stories."""

    def __init__(self, trials_directory: Path, emit: HostEmit) -> None:
        """Tells nothing yet.

        Args:
            trials_directory: The folder here with one folder for each trial.
            emit: Gets the events.
        """
        self._trials_directory = trials_directory
        self._emit = emit
        self._told: dict[tuple[str, int], _Told] = {}

    def note(self, end: TrialEnded, *, complete: bool) -> None:
        """Notes an end, after which the attempt's files on its machine are not needed any more.

        Args:
            end: The end.
            complete: Whether all of its files that are wanted are here.

        Raises:
            OSError: It cannot be noted.
        """
        folder = MirrorFolder(self._trials_directory / end.trial_id)
        note = json.dumps({**asdict(end), "complete": complete}).encode()
        with folder.replaced(f".nni/{end.attempt}/{NOTE}") as descriptor:
            write_all(descriptor, note)

    def is_noted(self, trial_id: str, attempt: int) -> bool:
        """Returns whether the end of an attempt is noted."""
        return Path(self._path(trial_id, attempt, NOTE)).exists()

    def is_complete(self, trial_id: str, attempt: int) -> bool:
        """Returns whether the end of an attempt is noted and all of its files are here."""
        try:
            note = json.loads(Path(self._path(trial_id, attempt, NOTE)).read_text(encoding="utf-8"))
            return note["complete"] is True
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def tell(self, trial_id: str, attempt: int, position: int = 0) -> bool:
        """Tells the story of an attempt, from a position of its report file on.

        Returns:
            Whether there is one.

        Raises:
            ValueError: The id is not one that may be part of a path.
        """
        key = (trial_id, attempt)
        if key in self._told:
            return True
        if not self.is_noted(trial_id, attempt):
            return False
        self._told[key] = _Told(position)
        asyncio.get_running_loop().call_soon(self._begin, key)
        return True

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> bool:
        """Takes it that results are stored; returns whether the attempt is one of ours."""
        told = self._told.get((trial_id, attempt))
        if told is None:
            return False
        if told.outstanding is not None and offset >= told.outstanding:
            told.outstanding = None
            asyncio.get_running_loop().call_soon(self._go_on, (trial_id, attempt))
        return True

    def _begin(self, key: tuple[str, int]) -> None:
        try:
            record = json.loads(Path(self._path(*key, "run.json")).read_text(encoding="utf-8"))
            begun = float(record["started_at"])
        except (OSError, ValueError, KeyError, TypeError):  # it never ran
            self._go_on(key)
            return
        self._emit(TrialStarted(*key, at=begun))
        self._go_on(key)

    def _go_on(self, key: tuple[str, int]) -> None:
        told = self._told.get(key)
        if told is None or told.outstanding is not None:
            return
        path = self._path(*key, "reports.jsonl")
        try:
            while True:
                batch = read_batch(path, told.position, complete=True)
                if batch.end == told.position:
                    break
                told.position = batch.end
                if batch.reports:
                    text = events.reported(*key, batch.reports, batch.end)
                    self._emit(messages.reported_event(json.loads(text)["reported"]))
                    if batch.end < report_size(path):
                        told.outstanding = batch.end
                        return
            end = _end(*key, json.loads(Path(self._path(*key, NOTE)).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            end = TrialEnded(*key, at=time.time(), problem=f"what is kept here of it cannot be read: {error}")
        del self._told[key]
        self._emit(end)

    def _path(self, trial_id: str, attempt: int, name: str) -> str:
        return f"{self._trials_directory}/{checked_trial_id(trial_id)}/.nni/{attempt}/{name}"


def _end(trial_id: str, attempt: int, note: dict[str, object]) -> TrialEnded:
    """Returns the end that a note tells of."""
    exit_code, signal, at = note.get("exit_code"), note.get("signal"), note.get("at")
    return TrialEnded(
        trial_id,
        attempt,
        at=at if isinstance(at, float) else time.time(),
        exit_code=exit_code if isinstance(exit_code, int) else None,
        signal=signal if isinstance(signal, int) else None,
        problem=str(note.get("problem", "")),
        stderr_tail=str(note.get("stderr_tail", "")),
    )
