"""Keeps the logs here of trials that run on another machine, a few seconds behind."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nni_config.private_files import write_private_file

from nni_manager.training.ssh.file_channel import FileRequestError
from nni_manager.training.ssh.mirror_folder import MirrorFolder
from nni_manager.training.ssh.remote_files import RemoteFiles

logger = logging.getLogger(__name__)

LOGS = ("stdout", "stderr", "trial.log")

NOTE = ".nni/mirror.json"
"""What of a trial's logs came from where; the next manager goes on there."""


@dataclass
class _Mirrored:
    """What is known of a trial's logs.

    Attributes:
        label: What tells the folder there from one before it.
        bases: Where the content of that folder's files begins in ours; before it is that of earlier attempts.
        sizes: How long our files were when they were last looked at, -1 for those that there were not.
    """

    label: str = ""
    bases: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)


class LogMirror:
    """Copies what grew."""

    def __init__(self, host_name: str, files: RemoteFiles, trials_directory: Path, max_bytes: int) -> None:
        """Copies nothing yet.

        Args:
            host_name: The host.
            files: Asks for files there.
            trials_directory: The folder here with one folder for each trial.
            max_bytes: How much of a log is copied at most.
        """
        self._host_name = host_name
        self._files = files
        self._trials_directory = trials_directory
        self._max_bytes = max_bytes
        self._known: dict[str, _Mirrored] = {}
        self._busy: dict[str, asyncio.Event] = {}

    def forget(self, trial_id: str) -> None:
        """Says that a trial is not asked for again soon."""
        self._known.pop(trial_id, None)

    def over_limit(self, trial_id: str) -> list[str]:
        """Returns the logs of a trial that were cut since they are too long."""
        known = self._state(trial_id)
        if not known.sizes:
            known.sizes = self._folder(trial_id).sizes(LOGS)
        return [name for name in LOGS if _copied(known, name) >= self._max_bytes]

    async def refresh(self, trial_ids: Collection[str], *, once: Collection[str] = frozenset()) -> None:
        """Copies what the logs of trials have beyond what is here.

        Args:
            trial_ids: The trials.
            once: Those of them whose first and only attempt has ended. Of theirs nothing needs to be noted:
                a manager that has to copy them again does so from the beginning.

        Raises:
            FileChannelLostError, HostUnreachableError: The machine cannot be asked now.
            FileRequestError: It answers in a way that makes no sense.
            OSError: There is no room here.
        """
        wanted = list(dict.fromkeys(trial_ids))
        # Of two answers about a log, the one that was asked for later is to be written later.
        while busy := [self._busy[trial_id] for trial_id in wanted if trial_id in self._busy]:
            await busy[0].wait()
        done = asyncio.Event()
        self._busy.update(dict.fromkeys(wanted, done))
        try:
            await self._copy(wanted, once)
        finally:
            for trial_id in dict.fromkeys(trial_ids):
                del self._busy[trial_id]
            done.set()

    async def _copy(self, wanted: list[str], once: Collection[str]) -> None:
        while wanted:
            request = await asyncio.to_thread(lambda names: [*map(self._request, names)], wanted)
            answer, data = await self._files.ask("logs", trials=request)
            if not answer.get("logs"):
                return
            writing = asyncio.create_task(
                asyncio.to_thread(self._take, answer, data, frozenset(wanted), once)
            )
            try:
                wanted = await asyncio.shield(writing)
            except asyncio.CancelledError:
                await asyncio.wait([writing])  # a thread goes on
                raise

    def _request(self, trial_id: str) -> dict[str, Any]:
        known = self._state(trial_id)
        known.sizes = self._folder(trial_id).sizes(LOGS)
        sizes = {name: -1 if known.sizes[name] < 0 else _copied(known, name) for name in LOGS}
        wanted = {name: size for name, size in sizes.items() if size < self._max_bytes}
        return {"trial": trial_id, "label": known.label, "sizes": wanted}

    def _take(
        self, answer: dict[str, Any], data: bytes, asked: frozenset[str], once: Collection[str]
    ) -> list[str]:
        """Writes what came, and returns the trials of which there is more."""
        behind: dict[str, None] = {}
        position = 0
        writing: dict[str, list[tuple[str, int, bytes, bool]]] = {}
        for piece in answer["logs"]:
            try:
                trial_id, name, label = piece["trial"], piece["name"], str(piece["label"])
                offset, length, size = int(piece["offset"]), int(piece["length"]), int(piece["of"])
            except (KeyError, TypeError, ValueError) as error:
                raise FileRequestError(f"{self._host_name} tells of logs what makes no sense") from error
            content = data[position : position + length]
            position += length
            if trial_id not in asked or name not in LOGS or offset < 0 or len(content) != length:
                raise FileRequestError(f"{self._host_name} sends logs that nobody asked for")
            known = self._state(trial_id)
            if label != known.label:
                self._begin(trial_id, label, trial_id in once)
            base = known.bases.setdefault(name, 0)
            cut = offset < _copied(known, name)  # its trial began the file anew
            writing.setdefault(trial_id, []).append((name, base + offset, content, cut))
            if offset + length < min(size, self._max_bytes):
                behind[trial_id] = None
        for trial_id, pieces in writing.items():
            self._folder(trial_id).write_pieces(pieces)
            sizes = self._state(trial_id).sizes
            for name, offset, content, cut in pieces:
                end = offset + len(content)
                sizes[name] = end if cut else max(sizes.get(name, -1), end)
        return list(behind)

    def _begin(self, trial_id: str, label: str, is_once: bool) -> None:
        """Has the content of another folder follow what is here of earlier attempts."""
        known = self._state(trial_id)
        known.label = label
        if is_once:
            known.bases = dict.fromkeys(LOGS, 0)  # what is here is of a copy that was cut short
            return
        known.bases = {name: max(0, known.sizes.get(name, -1)) for name in LOGS}
        folder = self._folder(trial_id)
        (folder.path / ".nni").mkdir(mode=0o700, parents=True, exist_ok=True)
        note = {"host": self._host_name, "label": label, "bases": known.bases}
        write_private_file(folder.path / NOTE, json.dumps(note))

    def _state(self, trial_id: str) -> _Mirrored:
        known = self._known.get(trial_id)
        if known is None:
            known = self._known[trial_id] = self._noted(trial_id)
        return known

    def _noted(self, trial_id: str) -> _Mirrored:
        try:
            note = json.loads((self._folder(trial_id).path / NOTE).read_text(encoding="utf-8"))
            # The label is of that folder alone; several machines may share it.
            return _Mirrored(str(note["label"]), {name: int(note["bases"][name]) for name in LOGS})
        except (OSError, ValueError, KeyError, TypeError):
            return _Mirrored()

    def _folder(self, trial_id: str) -> MirrorFolder:
        return MirrorFolder(self._trials_directory / trial_id)


def _copied(known: _Mirrored, name: str) -> int:
    """Returns how much is here of a log of the trial's folder there."""
    return max(0, known.sizes.get(name, -1) - known.bases.get(name, 0))
