"""Fetches what trials of looping scripts leave, many at a time, after their ends were told.

Such trials may end hundreds of times a second. To wait for the files of each before its slot gets the next
one would cost more than the trials do.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from nni_manager.engine.events import TrialEnded
from nni_manager.training.courier_connection import cancelled
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.ssh.fetching import Fetcher
from nni_manager.training.ssh.file_channel import FileChannelLostError, FileRequestError
from nni_manager.training.ssh.finished import FinishedAttempts
from nni_manager.training.ssh.machine import RemoteMachine
from nni_manager.training.ssh.reconnecting import HostUnreachableError
from nni_manager.waiting import happens_within

logger = logging.getLogger(__name__)

MOST_BEHIND = 512
"""So many trials may have their files on the machine alone; further ends are told when there are fewer."""

CLOSING_SECONDS = 60.0
"""How long files are fetched when the host is let go; the next manager fetches what is left."""

_AT_ONCE = 128
_GATHER_SECONDS = 0.5  # so that a batch is one
_PAUSE = 0.5


class FilesBehind:
    """Trials that have ended, whose files are on their way."""

    def __init__(
        self,
        machine: RemoteMachine,
        fetcher: Fetcher,
        finished: FinishedAttempts,
        keep: Callable[[str], Awaitable[None]] | None,
        *,
        remove: bool,
        done: Callable[[str], None],
    ) -> None:
        """Does nothing yet.

        Args:
            machine: The machine.
            fetcher: Fetches.
            finished: Notes ends.
            keep: Is called for a trial whose files were fetched.
            remove: Whether output files are removed there when they are here.
            done: Is called for a trial whose files are dealt with.
        """
        self._machine = machine
        self._fetcher = fetcher
        self._finished = finished
        self._keep = keep
        self._remove = remove
        self._done = done
        self._waiting: deque[tuple[TrialEnded, Callable[[], None] | None]] = deque()
        self._added = asyncio.Event()
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def add(self, end: TrialEnded, then: Callable[[], None]) -> None:
        """Fetches a trial's files soon.

        Args:
            end: Its end.
            then: Tells it: at once, or when the files are here if too many trials are behind.
        """
        is_late = len(self._waiting) >= MOST_BEHIND
        self._waiting.append((end, then if is_late else None))
        self._added.set()
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=f"files on {self._machine.name}")
        if not is_late:
            then()

    async def close(self) -> None:
        """Fetches what is left, as long as the machine can be reached and it takes not too long."""
        if self._task is None:
            return
        self._hurry.set()
        deadline = asyncio.get_running_loop().time() + CLOSING_SECONDS
        while self._waiting and asyncio.get_running_loop().time() < deadline:
            if self._machine.lost_at is not None:
                break
            await asyncio.wait([self._task], timeout=_PAUSE / 10)
        await cancelled(self._task)
        self._task = None
        if self._waiting:
            logger.warning(
                "%s: files of %d trials stay there; a resume fetches them",
                self._machine.name,
                len(self._waiting),
            )

    async def _work(self) -> None:
        while True:
            await self._added.wait()
            self._added.clear()
            await happens_within(self._hurry, _GATHER_SECONDS)
            while self._waiting:
                count = min(_AT_ONCE, len(self._waiting))
                batch = [self._waiting[index] for index in range(count)]
                await self._deal_with([end for end, _ in batch])
                for end, then in batch:
                    self._waiting.popleft()
                    self._done(end.trial_id)
                    if then is not None:
                        then()

    async def _deal_with(self, ends: list[TrialEnded]) -> None:
        folders = f"{self._machine.directory}/trials"
        while True:
            try:
                attempts = [(end.trial_id, end.attempt) for end in ends]
                results = await self._fetcher.fetch_many(attempts, folders)
                break
            except (FileChannelLostError, HostUnreachableError) as error:
                logger.debug("%s: files are fetched again: %s", self._machine.name, error)
                await asyncio.sleep(_PAUSE)
            except (OSError, TrainingServiceError) as error:
                results = [error] * len(ends)
                break
        fetched = []
        for end, result in zip(ends, results, strict=True):
            if isinstance(result, Exception):
                where = f"{self._machine.name} in {folders}/{end.trial_id}"
                logger.warning("trial %s: what it left stays on %s: %s", end.trial_id, where, result)
            else:
                fetched.append((end, result))
        if self._keep is not None:
            for end, _ in fetched:
                await self._keep(end.trial_id)
        try:
            await asyncio.to_thread(self._note, fetched)
        except OSError as error:
            logger.warning("%s: ends of trials cannot be noted: %s", self._machine.name, error)
            return
        if self._remove:
            await self._remove_outputs([end.trial_id for end, complete in fetched if complete])

    def _note(self, fetched: list[tuple[TrialEnded, bool]]) -> None:
        for end, complete in fetched:
            self._finished.note(end, complete=complete)

    async def _remove_outputs(self, trial_ids: list[str]) -> None:
        requests = [
            {"do": "remove", "trial": each, "attempts": [], "outputsOnly": True} for each in trial_ids
        ]
        try:
            answers = await self._machine.files.ask_many(requests)
        except TrainingServiceError as error:
            logger.debug("%s: output files are removed later: %s", self._machine.name, error)
            return
        for trial_id, answer in zip(trial_ids, answers, strict=True):
            if isinstance(answer, FileRequestError):
                logger.warning(
                    "trial %s: its files on %s stay there: %s", trial_id, self._machine.name, answer
                )
