"""Finds out what a running experiment is made of, and says when its code changes, also between two runs."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from nni_config.private_files import write_private_file

from nni_manager.engine.events import OriginFound, WarningRaised
from nni_manager.engine.records import ExperimentOrigin
from nni_manager.experiments.errors import ExperimentServiceError
from nni_manager.origin.code_state import CodeState, change_warning
from nni_manager.origin.git_state import git_state
from nni_manager.origin.package_versions import package_versions
from nni_manager.waiting import happens_within

_LEAST_SECONDS_BETWEEN_LOOKS = 2.0
_LOOK_PART = 0.02
"""Of the time, looking for changes takes two hundredths at most."""

_SECONDS_UNTIL_QUIET = 2.0
"""By then the first trials have started; what takes processor time waits until then."""

_SECONDS_TO_FINISH = 5.0

CODE_STATE_NAME = "code-state.json"
"""The file in the experiment's folder that says what its code was when it was started first."""

_LOG = logging.getLogger(__name__)


class OriginKeeper:
    """Works beside an experiment; nothing waits for it but the end of a short experiment."""

    def __init__(
        self,
        code_directory: Path,
        repository: Path,
        experiment_directory: Path,
        earlier: ExperimentOrigin,
        tell: Callable[[OriginFound | WarningRaised], Awaitable[None]],
        *,
        watches: bool,
    ) -> None:
        """Makes a keeper that has done nothing yet.

        Args:
            code_directory: The folder that trials run in.
            repository: The folder that git is asked about, which is not the one of a copy.
            experiment_directory: The folder of the experiment, in which the state of the code is noted.
            earlier: What is known already: the seed of the tuner, and after a resume the rest.
            tell: Tells the engine what was found.
            watches: Whether changes of the code are told.
        """
        self._code_directory = code_directory
        self._repository = repository
        self._note_file = experiment_directory / CODE_STATE_NAME
        self._earlier = earlier
        self._tell = tell
        self._watches = watches
        self._is_over = False
        self._submitted = asyncio.Event()
        self._ending = asyncio.Event()
        self._is_read = asyncio.Event()
        self._noting: asyncio.Task[CodeState] | None = None
        self._recording: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Notes which code there is, so that it is known as it was at the start."""
        self._noting = asyncio.create_task(asyncio.to_thread(self._note), name="note the code")

    def record(self) -> None:
        """Finds out the rest and tells it. Comes after the start, which it would slow down."""
        self._recording = asyncio.create_task(_logged(self._record()), name="record the origin")
        if self._watches:
            self._watching = asyncio.create_task(_logged(self._watch()), name="watch the code")

    def trial_submitted(self) -> None:
        """Says that a trial is about to start with the code as it is now."""
        self._submitted.set()

    async def close(self) -> None:
        """Ends the recording, and the looking with a last look, unless they are done soon."""
        self._ending.set()
        working = [task for task in (self._recording, self._watching) if task is not None]
        if working:
            await asyncio.wait(working, timeout=_SECONDS_TO_FINISH)
        self._is_over = True
        tasks = [task for task in (self._noting, self._recording, self._watching) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _note(self) -> CodeState:
        experiments_directory = self._note_file.parent.parent
        return CodeState(self._code_directory, experiments_directory, lambda: self._is_over)

    async def _code(self) -> CodeState:
        assert self._noting is not None
        return await asyncio.shield(self._noting)

    async def _record(self) -> None:
        is_known = bool(self._earlier.code_hash)
        commit, is_dirty = ("", None) if is_known else await git_state(self._repository)
        await happens_within(self._ending, _SECONDS_UNTIL_QUIET)
        code = await self._code()
        code_hash = await asyncio.to_thread(code.read)
        self._is_read.set()
        if is_known:
            await self._compare(code_hash)
            return
        versions = await asyncio.to_thread(package_versions)
        await asyncio.to_thread(self._write, code)
        origin = ExperimentOrigin(commit, is_dirty, code_hash, versions, self._earlier.seed)
        await self._tell(OriginFound(origin))

    async def _compare(self, code_hash: str) -> None:
        """Says what has changed since the experiment was started first."""
        if code_hash == self._earlier.code_hash:
            return
        changed = await asyncio.to_thread(self._changed_since)
        if changed:
            warning = change_warning(self._code_directory, changed, "since the experiment began")
            _LOG.warning("%s", warning)
            await self._tell(WarningRaised(warning))

    def _changed_since(self) -> list[str]:
        try:
            files = json.loads(self._note_file.read_text(encoding="utf-8"))
            return CodeState.from_json(self._code_directory, files, lambda: self._is_over).changed()
        except (OSError, ValueError, TypeError, AttributeError) as error:
            _LOG.warning("what the code was cannot be read: %s: %s", self._note_file, error)
            return ["which of them is not known"]

    def _write(self, code: CodeState) -> None:
        try:
            write_private_file(self._note_file, json.dumps(code.to_json()))
        except OSError as error:
            _LOG.warning("the state of the code cannot be noted in %s: %s", self._note_file, error)

    async def _watch(self) -> None:
        code = await self._code()
        await self._is_read.wait()
        changed: list[str] = []
        pause = _LEAST_SECONDS_BETWEEN_LOOKS
        while not changed and not (self._ending.is_set() and not self._submitted.is_set()):
            await self._wait_for_a_look(pause)
            self._submitted.clear()
            began = time.monotonic()
            changed = await asyncio.to_thread(code.changed)
            pause = max(_LEAST_SECONDS_BETWEEN_LOOKS, (time.monotonic() - began) / _LOOK_PART)
        if changed:
            warning = change_warning(self._code_directory, changed)
            _LOG.warning("%s", warning)
            await self._tell(WarningRaised(warning))

    async def _wait_for_a_look(self, pause: float) -> None:
        """Returns when some time is over and a trial was submitted since, or at once when all is ending."""
        waiting: asyncio.Future[Any] = asyncio.gather(asyncio.sleep(pause), self._submitted.wait())
        ending: asyncio.Future[Any] = asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait([waiting, ending], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            ending.cancel()
            await asyncio.gather(waiting, ending, return_exceptions=True)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    """Does something that nobody waits for, and logs why it fails."""
    try:
        await work
    except ExperimentServiceError as error:
        _LOG.error("what the experiment is made of cannot be recorded: %s", error)
    except Exception:
        _LOG.exception("what the experiment is made of cannot be found out")
