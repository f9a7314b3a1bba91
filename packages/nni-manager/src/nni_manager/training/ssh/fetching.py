"""Brings here what a trial on another machine has left: its logs, what tells its story, its output files."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
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

RECORDS_OF_MANY = ("run.json", "reports.jsonl")
"""What of that is brought here where many trials are fetched at a time: what their story is told from."""

INLINE_BYTES = 1 << 20
"""Files that have room in so much come with the list of them."""

INLINE_BYTES_OF_MANY = 16 << 20
"""The same, for all trials that are fetched at a time."""

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


@dataclass
class _Left:
    """What an attempt has left.

    Attributes:
        remote_folder: The trial's folder there.
        records: What is wanted of what tells the attempt's story.
        folder: The trial's folder here.
        large: Files that did not come with the list of them.
        links: Paths and targets.
        behind: What has content and is not here, and why.
        others: What has no content that could be here.
    """

    trial_id: str
    attempt: int
    remote_folder: str
    records: tuple[str, ...] = RECORDS
    folder: MirrorFolder = field(init=False)
    large: list[_File] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


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
            self._files.ask(**self._request(trial_id, attempt, INLINE_BYTES)),
            self._mirror.refresh([trial_id]),
        )
        left = _Left(trial_id, attempt, remote_folder)
        await asyncio.to_thread(self._take, left, listed)
        return await self._complete(left)

    async def fetch_many(
        self, attempts: Sequence[tuple[str, int]], remote_folders: str
    ) -> list[bool | Exception]:
        """Fetches what many attempts have left, which costs little more than to fetch that of one.

        Args:
            attempts: The trials, and which run of each.
            remote_folders: The folder there with one folder for each trial, for what is told.

        Returns:
            For each what `fetch` returns, or the FileRequestError or OSError that it raises.

        Raises:
            FileChannelLostError, HostUnreachableError: The connection was lost; fetch again.
            FileRequestError: What the machine says makes no sense.
            OSError: Logs cannot be written here.
        """
        inline = max(1, INLINE_BYTES_OF_MANY // max(1, len(attempts)))
        once = {trial_id for trial_id, attempt in attempts if attempt == 0}
        listed, _ = await asyncio.gather(
            self._files.ask_many([self._request(*attempt, inline) for attempt in attempts]),
            self._mirror.refresh([trial_id for trial_id, _ in attempts], once=once),
        )
        found = [_Left(*attempt, f"{remote_folders}/{attempt[0]}", RECORDS_OF_MANY) for attempt in attempts]
        problems = await asyncio.to_thread(lambda: [*map(self._tried, found, listed)])
        results: list[bool | Exception] = []
        for left, problem in zip(found, problems, strict=True):
            try:
                results.append(await self._complete(left) if problem is None else problem)
            except (OSError, FileRequestError) as error:
                results.append(error)
        return results

    def _request(self, trial_id: str, attempt: int, inline: int) -> dict[str, Any]:
        return {
            "do": "outputs",
            "trial": trial_id,
            "attempt": attempt,
            "patterns": self._patterns,
            "inline": inline,
        }

    def _tried(self, left: _Left, listed: Answer | FileRequestError) -> Exception | None:
        """Takes what came of an attempt; returns what is wrong with it."""
        if isinstance(listed, FileRequestError):
            return listed
        try:
            self._take(left, listed)
        except (OSError, FileRequestError) as error:
            return error
        return None

    def _take(self, left: _Left, listed: Answer) -> None:
        """Writes what came with the list of what an attempt has left; blocks."""
        folder = left.folder = MirrorFolder(self._trials_directory / left.trial_id)
        over = self._mirror.over_limit(left.trial_id)
        left.behind += [f"{name}: longer than {self._max_bytes} bytes" for name in over]
        left.behind += [f"{path}: {why}" for path, why in _pairs(listed[0], "unreadable")]
        small: list[_File] = []
        total = 0
        for file in self._listed(left.attempt, listed):
            if file.is_record:
                if file.path.rpartition("/")[2] not in left.records:
                    continue
            else:
                if total + file.size > self._max_bytes:
                    left.behind.append(
                        f"{file.path}: with its {file.size} bytes the output files have more than "
                        f"{self._max_bytes}, which max_output_size allows"
                    )
                    continue
                total += file.size
            (left.large if file.content is None else small).append(file)
        left.behind += _write_small(folder, small)
        left.others = [f"{path}: neither a file nor a folder" for path in _texts(listed[0], "others")]
        left.links = _pairs(listed[0], "links")

    async def _complete(self, left: _Left) -> bool:
        """Fetches what did not come with the list; returns whether all is here."""
        folder = left.folder
        for file in left.large:
            try:
                await self._fetch_large(left.trial_id, folder, file)
            except (OSError, ValueError, FileRequestError) as error:
                if file.is_record:
                    raise
                left.behind.append(f"{file.path}: {error}")
        not_here = left.behind + left.others
        for path, target in left.links:
            try:
                folder.link(path, target)
            except (OSError, ValueError):
                not_here.append(f"{path}: a link that leads out of its folder, to {target}")
        self._tell(folder, left.attempt, left.remote_folder, not_here)
        return not left.behind

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
    # Nobody reads the records before the end is noted, which is after them.
    folder.write_pieces([(file.path, 0, file.content or b"", True) for file in files if file.is_record])
    left = []
    for file in (file for file in files if not file.is_record):
        try:
            with folder.replaced(file.path, executable=file.executable) as descriptor:
                write_all(descriptor, file.content or b"")
        except (OSError, ValueError) as error:
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
