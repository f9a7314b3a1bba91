"""What is done for trials on another machine: their logs are followed, in the end their files are fetched."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from nni_manager.engine.events import TrialEnded
from nni_manager.training.courier_connection import cancelled
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.ssh.behind import FilesBehind
from nni_manager.training.ssh.cleaning import remove_trial
from nni_manager.training.ssh.fetching import Fetcher
from nni_manager.training.ssh.file_channel import FileChannelLostError
from nni_manager.training.ssh.finished import FinishedAttempts
from nni_manager.training.ssh.machine import RemoteMachine
from nni_manager.training.ssh.mirror import LogMirror
from nni_manager.training.ssh.reconnecting import HostUnreachableError

logger = logging.getLogger(__name__)

MIRROR_SECONDS = 3.0
"""How often the logs of running trials are looked at."""

_AT_ONCE = 16
_MOST_TRIES = 5
_STILL_FOLLOWED = 64  # of the trials whose processes may go on, the last ones
_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class OutputRules:
    """What is fetched and what stays.

    Attributes:
        patterns: The output files that are fetched; "*" stands for any characters, "/" among them.
        max_bytes: How much the output files of a trial may have together, and each of its logs.
        keep_remote: Whether nothing is removed on the machine.
        mirror_seconds: How often the logs of running trials are looked at.
    """

    patterns: Sequence[str] = ("*",)
    max_bytes: int = 10**9
    keep_remote: bool = False
    mirror_seconds: float = MIRROR_SECONDS


class Endings:
    """Fetches what trials leave before their end is told."""

    def __init__(
        self,
        machine: RemoteMachine,
        trials_directory: Path,
        rules: OutputRules,
        finished: FinishedAttempts,
        must_give_up: Callable[[tuple[str, int]], bool],
        *,
        in_use: bool,
        keep: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """Does nothing yet.

        Args:
            machine: The machine.
            trials_directory: The folder here with one folder for each trial.
            rules: What is fetched and what stays.
            finished: Notes ends.
            must_give_up: Returns whether an attempt's machine has been away for too long.
            in_use: Whether processes go on when their trials have ended, so that logs must stay there.
            keep: Is called for a trial whose files were fetched.
        """
        self._machine = machine
        self._rules = rules
        self._finished = finished
        self._must_give_up = must_give_up
        self._in_use = in_use
        self._keep = keep
        name, files = machine.name, machine.files
        self._mirror = LogMirror(name, files, trials_directory, rules.max_bytes)
        self._fetcher = Fetcher(name, files, self._mirror, trials_directory, rules.patterns, rules.max_bytes)
        self._latest: deque[str] = deque(maxlen=_STILL_FOLLOWED)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._behind = FilesBehind(
            machine, self._fetcher, finished, keep, remove=not rules.keep_remote, done=self._follow_still
        )

    async def recover(self) -> None:
        """Fetches what trials of looping scripts left whose ends an earlier manager told before that."""
        try:
            answer, _ = await self._machine.files.ask("finished")
            attempts = [(str(trial_id), int(attempt)) for trial_id, attempt in answer["finished"]]
        except (KeyError, TypeError, ValueError, TrainingServiceError) as error:
            logger.warning("%s: what trials left there cannot be listed: %s", self._machine.name, error)
            return
        for trial_id, attempt in attempts:
            if not self._finished.is_noted(trial_id, attempt):
                end = TrialEnded(trial_id, attempt, at=time.time(), exit_code=0)
                self._behind.add(end, lambda: None)

    def begin(self, end: TrialEnded, then: Callable[[], None], *, is_last: bool) -> None:
        """Fetches what an attempt has left.

        Args:
            end: Its end.
            then: Is called when all is here that can be.
            is_last: Whether it is the trial's last attempt, so that its folder there is not needed any more.
        """
        if self._in_use and end.exit_code == 0:
            self._behind.add(end, then)
            return
        task = asyncio.create_task(self._finish(end, then, is_last), name=f"files of trial {end.trial_id}")
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

    async def follow(self, running: Callable[[], Collection[str]]) -> None:
        """Copies logs until it is canceled.

        Args:
            running: Returns the trials that run.
        """
        said = ""
        while True:
            await asyncio.sleep(self._rules.mirror_seconds)
            try:
                await self._mirror.refresh([*running(), *self._latest])
                said = ""
            except (FileChannelLostError, HostUnreachableError) as error:
                logger.debug("%s: logs cannot be followed now: %s", self._machine.name, error)
            except (OSError, TrainingServiceError) as error:
                if str(error) != said:
                    logger.warning(
                        "%s: logs of running trials cannot be copied: %s", self._machine.name, error
                    )
                said = str(error)

    async def close(self) -> None:
        """Stops at once. Trials whose end was not told yet are adopted, and fetched, by the next manager."""
        await asyncio.gather(self._behind.close(), *(cancelled(task) for task in tuple(self._tasks)))
        if self._latest:  # a process may have said something after its last trial
            try:
                await self._mirror.refresh(self._latest)
            except (OSError, TrainingServiceError) as error:
                logger.warning(
                    "%s: the last words of processes cannot be copied: %s", self._machine.name, error
                )

    async def _finish(self, end: TrialEnded, then: Callable[[], None], is_last: bool) -> None:
        folder = f"{self._machine.directory}/trials/{end.trial_id}"
        removable = False
        try:
            async with self._slots:
                complete = await self._fetch(end, folder)
                if self._keep is not None:
                    await self._keep(end.trial_id)
                self._finished.note(end, complete=complete)
            removable = complete and is_last and not self._rules.keep_remote
        except (OSError, TrainingServiceError) as error:
            logger.warning(
                "trial %s: what it left stays on %s in %s: %s",
                end.trial_id,
                self._machine.name,
                folder,
                error,
            )
        except Exception:  # whatever it is, the end of the trial is told
            logger.exception(
                "trial %s: what it left stays on %s in %s", end.trial_id, self._machine.name, folder
            )
        if self._in_use:
            self._follow_still(end.trial_id)
        else:
            self._mirror.forget(end.trial_id)
        then()
        if removable:
            await remove_trial(
                self._machine.name,
                self._machine.files,
                end.trial_id,
                end.attempt,
                outputs_only=self._in_use,
            )

    def _follow_still(self, trial_id: str) -> None:
        if len(self._latest) == _STILL_FOLLOWED:
            self._mirror.forget(self._latest[0])
        self._latest.append(trial_id)

    async def _fetch(self, end: TrialEnded, folder: str) -> bool:
        tries = 0
        while True:
            try:
                return await self._fetcher.fetch(end.trial_id, end.attempt, folder)
            except (FileChannelLostError, HostUnreachableError) as error:
                tries += self._machine.lost_at is None
                if tries >= _MOST_TRIES or self._must_give_up((end.trial_id, end.attempt)):
                    raise
                logger.debug("trial %s: its files are fetched again: %s", end.trial_id, error)
                await asyncio.sleep(_PAUSE)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("what a trial left cannot be fetched", exc_info=error)
