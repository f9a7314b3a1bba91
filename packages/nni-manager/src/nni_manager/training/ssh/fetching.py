"""Brings here what a trial on another machine has left: its logs, what tells its story, its output files."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nni_manager.training.ssh.file_channel import Answer, FileRequestError
from nni_manager.training.ssh.mirror import LogMirror
from nni_manager.training.ssh.mirror_folder import MirrorFolder, write_all
from nni_manager.training.ssh.remote_files import RemoteFiles

logger = logging.getLogger(__name__)

NOT_FETCHED = "not_fetched.txt"
"""In a trial's folder, what of its files stayed on the machine."""

RECORDS = ("parameters.json", "run.json", "exit.json", "done.json", "reports.jsonl")

INLINE_BYTES = 1 << 20
"""Files that have room in so much come with the list of them."""

_CHUNK = 1 << 20
_CHUNKS_ON_THE_WAY = 4
_MOST_NAMED = 100


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    size: int
    executable: bool
    content: bytes | None

    @property
    def is_record(self) -> bool:
        return self.path.startswith(".nni/")


class Fetcher:
    """Fetches from one machine."""

    def __init__(
        self,
        host_name: str,
        files: RemoteFiles,
        mirror: LogMirror,
        trials_directory: Path,
        patterns: Sequence[str],
        max_bytes: int,
    ) -> None:
        """Fetches nothing yet.

        Args:
            host_name: The host.
            files: Asks for files there.
            mirror: Has the logs.
            trials_directory: The folder here with one folder for each trial.
            patterns: Which output files are wanted, see TrialFiles.outputs.
            max_bytes: How much the output files of a trial may have together.
        """
        self._host_name = host_name
        self._files = files
        self._mirror = mirror
        self._trials_directory = trials_directory
        self._patterns = list(patterns)
        self._max_bytes = max_bytes

    async def fetch(self, trial_id: str, attempt: int, remote_folder: str) -> bool:
        """Fetches what an attempt has left.

        Args:
            trial_id: The trial.
            attempt: Which run of it.
            remote_folder: The trial's folder there, for what is told.

        Returns:
            Whether all is here that was wanted and has content; NOT_FETCHED says what is not.

        Raises:
            FileChannelLostError, HostUnreachableError: The connection was lost; fetch again.
            FileRequestError: What the machine says makes no sense.
            OSError: What tells the trial's story cannot be written here.
        """
        listed, _ = await asyncio.gather(
            self._files.ask(
                "outputs", trial=trial_id, attempt=attempt, patterns=self._patterns, inline=INLINE_BYTES
            ),
            self._mirror.refresh([trial_id]),
        )
        folder = MirrorFolder(self._trials_directory / trial_id)
        left = [f"{name}: longer than {self._max_bytes} bytes" for name in self._mirror.over_limit(trial_id)]
        left += [f"{path}: {why}" for path, why in _pairs(listed[0], "unreadable")]
        left += await self._fetch_files(trial_id, attempt, folder, listed)
        complete = not left
        left += [f"{path}: neither a file nor a folder" for path in _texts(listed[0], "others")]
        for path, target in _pairs(listed[0], "links"):
            try:
                folder.link(path, target)
            except (OSError, ValueError):
                left.append(f"{path}: a link that leads out of its folder, to {target}")
        self._tell(folder, attempt, remote_folder, left)
        return complete

    async def _fetch_files(
        self, trial_id: str, attempt: int, folder: MirrorFolder, listed: Answer
    ) -> list[str]:
        left = []
        total = 0
        small: list[_File] = []
        large: list[_File] = []
        for file in self._listed(attempt, listed):
            if not file.is_record:
                if total + file.size > self._max_bytes:
                    left.append(
                        f"{file.path}: with its {file.size} bytes the output files have more than "
                        f"{self._max_bytes}, which max_output_size allows"
                    )
                    continue
                total += file.size
            (large if file.content is None else small).append(file)
        left += await asyncio.to_thread(_write_small, folder, small)
        for file in large:
            try:
                await self._fetch_large(trial_id, folder, file)
            except (OSError, ValueError, FileRequestError) as error:
                if file.is_record:
                    raise
                left.append(f"{file.path}: {error}")
        return left

    def _listed(self, attempt: int, listed: Answer) -> list[_File]:
        answer, data = listed
        found = []
        position = 0
        own = {f".nni/{attempt}/{name}" for name in RECORDS}
        try:
            for entry in answer["files"]:
                path, size = entry["path"], int(entry["of"])
                if (
                    not isinstance(path, str)
                    or size < 0
                    or (path.split("/")[0] == ".nni" and path not in own)
                ):
                    raise ValueError(f"file {path!r:.200}")
                content = data[position : position + size] if entry["whole"] else None
                position += size if entry["whole"] else 0
                if content is not None and len(content) != size:
                    raise ValueError(f"file {path!r:.200} without its content")
                found.append(_File(path, size, bool(entry["executable"]), content))
        except (KeyError, TypeError, ValueError) as error:
            raise FileRequestError(f"{self._host_name} lists files in a way that makes no sense") from error
        return found

    async def _fetch_large(self, trial_id: str, folder: MirrorFolder, file: _File) -> None:
        with folder.replaced(file.path, executable=file.executable) as descriptor:
            pending: deque[asyncio.Task[Answer]] = deque()
            asked = written = 0
            try:
                while written < file.size:
                    while asked < file.size and len(pending) < _CHUNKS_ON_THE_WAY:
                        length = min(_CHUNK, file.size - asked)
                        question = self._files.ask(
                            "read", trial=trial_id, path=file.path, offset=asked, length=length
                        )
                        pending.append(asyncio.create_task(question))
                        asked += length
                    _, data = await pending.popleft()
                    if len(data) != min(_CHUNK, file.size - written):
                        raise FileRequestError("it became shorter while it was fetched")
                    await asyncio.to_thread(write_all, descriptor, data)
                    written += len(data)
            finally:
                for task in pending:
                    task.cancel()
                await asyncio.gather(*pending, return_exceptions=True)

    def _tell(self, folder: MirrorFolder, attempt: int, remote_folder: str, left: list[str]) -> None:
        path = folder.path / NOT_FETCHED
        if not left:
            if attempt == 0 or path.is_symlink():
                path.unlink(missing_ok=True)
            return
        head = f"These stayed on {self._host_name}, in {remote_folder}:"
        lines = [head, *(line.encode("utf-8", "replace").decode() for line in left)]
        folder.write_at(NOT_FETCHED, 0, "\n".join(lines).encode() + b"\n", cut=True)
        shown = "; ".join(left[:_MOST_NAMED]).encode("utf-8", "replace").decode()
        logger.warning("trial %s: not fetched from %s: %s", folder.path.name, self._host_name, shown)


def _write_small(folder: MirrorFolder, files: Sequence[_File]) -> list[str]:
    left = []
    for file in files:
        try:
            with folder.replaced(file.path, executable=file.executable) as descriptor:
                write_all(descriptor, file.content or b"")
        except (OSError, ValueError) as error:
            if file.is_record:
                raise
            left.append(f"{file.path}: {error}")
    return left


def _pairs(answer: dict[str, Any], name: str) -> list[tuple[str, str]]:
    try:
        return [(str(first), str(second)) for first, second in answer[name]]
    except (KeyError, TypeError, ValueError) as error:
        raise FileRequestError(f"a list of {name} makes no sense") from error


def _texts(answer: dict[str, Any], name: str) -> list[str]:
    try:
        return [str(text) for text in answer[name]]
    except (KeyError, TypeError) as error:
        raise FileRequestError(f"a list of {name} makes no sense") from error
