"""Follows a job that has no connection to the manager, by two files in a shared storage (nni.spool).

What the manager tells the job is appended to one file, what the job says is read from the other, from an
offset on. After a restart of either side the files are read again: an order twice is carried out once, and
what was told before is not told again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from nni_manager.engine.events import TrainingServiceFailed, TrialEnded
from nni_manager.shared_storage.interface import SharedFiles, SharedStorageError
from nni_manager.training import courier_messages as messages
from nni_manager.training.interface import Emit
from nni_manager.waiting import happens_within

MAX_BYTES = 4 << 20
"""How much of a file is read or written at once."""

SETTLE_SECONDS = 20.0
"""How long after the end of a job its last words may take to arrive."""

CLOSE_SECONDS = 15.0
"""How long the last orders may take to be written."""

_LONGEST_PAUSE = 60.0

logger = logging.getLogger(__name__)


@dataclass
class _Watched:
    """A trial whose end was not told yet.

    Attributes:
        position: The position in its report file up to which results were emitted.
        acknowledged: The position up to which they are stored.
        started: Whether its start was emitted.
        reached: The position up to which results are emitted or wait in `later`.
        ended: Whether its end is among `later`.
        later: What is told once the results before are stored.
    """

    position: int = 0
    acknowledged: int = 0
    started: bool = False
    reached: int = 0
    ended: bool = False
    later: deque[tuple[str, messages.Message]] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class _JobEnd:
    """How a job ended, for the trials of which no end arrives."""

    problem: str
    stderr_tail: str
    settle_seconds: float


class JobSpool:
    """Starts, watches and stops trials in one job, by files."""

    def __init__(
        self,
        files: SharedFiles,
        job: str,
        emit: Emit,
        *,
        poll_seconds: float | None = 1.0,
        settle_seconds: float = SETTLE_SECONDS,
        on_sent: Callable[[str], None] = lambda trial_id: None,
    ) -> None:
        """Makes a spool that is not open yet.

        Args:
            files: The experiment's files in the storage.
            job: The job's name, unique in the experiment.
            emit: Gets the events.
            poll_seconds: How often the storage is looked at; None for when `look` is called alone.
            settle_seconds: How long after the end of the job its last words may take to arrive.
            on_sent: Gets the trials of which the job has sent something that they wrote.
        """
        self._on_sent = on_sent
        self._files = files
        self._job = job
        self._emit = emit
        self._poll_seconds = poll_seconds
        self._settle_seconds = settle_seconds
        self._orders = f"spool/{job}/orders.jsonl"
        self._events = f"spool/{job}/events.jsonl"
        self._trials: dict[tuple[str, int], _Watched] = {}
        self._passed_over: set[tuple[str, int]] = set()
        self._is_closing = False
        self._waiting: list[bytes] = []
        self._sending = b""
        self._size = 0
        self._position = 0
        self._job_end: _JobEnd | None = None
        self._written: list[asyncio.Future[None]] = []
        self._something = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Finds out what an earlier manager has ordered, and begins.

        Raises:
            SharedStorageError: The storage cannot be read.
        """
        self._size = await asyncio.to_thread(self._files.size, self._orders)
        if self._size and await asyncio.to_thread(self._files.read, self._orders, self._size - 1, 1) != b"\n":
            self._waiting.insert(0, b"\n")  # the earlier manager died while it wrote
        self._task = asyncio.create_task(self._work(), name=f"spool of {self._job}")
        self._task.add_done_callback(self._on_done)

    def launch(self, trial_id: str, attempt: int, command: bytes) -> None:
        """Starts a trial, by a LaunchTrial command."""
        if (trial_id, attempt) not in self._trials:
            self._trials[trial_id, attempt] = _Watched()
            self._order(command)
            self._look_back(trial_id, attempt)

    def adopt(self, trial_id: str, attempt: int, acknowledged_offset: int) -> None:
        """Watches a trial that was ordered before; one that was not ends with a problem."""
        if (trial_id, attempt) not in self._trials:
            position = acknowledged_offset
            self._trials[trial_id, attempt] = _Watched(position, position, reached=position)
            self._order(messages.adopt(trial_id, attempt, acknowledged_offset))
            self._look_back(trial_id, attempt)

    def cancel(self, trial_id: str, attempt: int, signal: int, grace_seconds: float) -> None:
        """Stops a trial; one that is not watched has ended."""
        if (trial_id, attempt) in self._trials:
            self._order(messages.cancel(trial_id, attempt, signal, grace_seconds))

    def acknowledge(self, trial_id: str, attempt: int, offset: int) -> None:
        """Says that results are stored; what follows them is told then."""
        watched = self._trials.get((trial_id, attempt))
        if watched is not None:
            watched.acknowledged = max(watched.acknowledged, offset)
            # Not at once: who acknowledges is not told more in the middle of that.
            asyncio.get_running_loop().call_soon(self._tell, (trial_id, attempt), watched)

    def release(self) -> None:
        """Says that no trial is coming; that holds until one is launched."""
        self._order(messages.release())

    def shut_down(self) -> None:
        """Ends the job once its processes that wait for a trial have ended; running trials end with it."""
        self._order(messages.shut_down())

    @property
    def has_spoken(self) -> bool:
        """Whether the job has said anything that was read."""
        return self._position > 0

    @property
    def events_file(self) -> tuple[str, int]:
        """The file of what the job says, and up to where it was read."""
        return self._events, self._position

    def look(self) -> None:
        """Has the storage looked at now."""
        self._something.set()

    async def written(self) -> None:
        """Returns when all that was ordered so far is in the storage, after `open`."""
        future = asyncio.get_running_loop().create_future()
        self._written.append(future)
        self._something.set()
        await future

    def job_ended(self, problem: str, stderr_tail: str = "", settle_seconds: float | None = None) -> None:
        """Says that the job is over; trials of which no end arrives end with this problem.

        Args:
            problem: Why they have none.
            stderr_tail: What the job wrote last.
            settle_seconds: How long its last words may take to arrive, None for what was said at first.
        """
        settle = self._settle_seconds if settle_seconds is None else settle_seconds
        self._job_end = _JobEnd(problem, stderr_tail, settle)
        self._something.set()
        if self._task is None:  # nothing was ever read
            asyncio.get_running_loop().call_later(settle, self._end_all, self._job_end)

    async def close(self) -> None:
        """Stops watching, after what was ordered is written. The job goes on."""
        task = self._task  # somebody else may close it at the same time
        if task is None:
            return
        self._is_closing = True
        self._something.set()
        await asyncio.wait([task], timeout=CLOSE_SECONDS)
        if not task.done():
            logger.error("job %s: what it was told last is not written: the storage hangs", self._job)
            task.cancel()
            await asyncio.wait([task])
        self._task = None

    def _look_back(self, trial_id: str, attempt: int) -> None:
        """Reads all again if events of a trial were passed over before anybody asked for them."""
        if (trial_id, attempt) in self._passed_over:
            self._passed_over.clear()
            self._position = 0

    def _order(self, line: bytes) -> None:
        self._waiting.append(line)
        self._something.set()

    async def _work(self) -> None:
        pause = self._poll_seconds
        ended_at: float | None = None
        while True:
            self._something.clear()
            try:
                await self._send()
                if self._is_closing:
                    return
                is_behind = await self._receive()
                pause = self._poll_seconds
            except SharedStorageError as error:
                if self._is_closing:
                    logger.error("job %s: what it was told last is not written: %s", self._job, error)
                    return
                logger.warning("job %s cannot be followed, trying again: %s", self._job, error)
                is_behind, pause = False, min(max((pause or 0.0) * 2, 0.5), _LONGEST_PAUSE)
            if (end := self._job_end) is not None:
                now = time.monotonic()
                ended_at = now if ended_at is None or is_behind else ended_at
                left = end.settle_seconds - (now - ended_at)
                if left <= 0:
                    self._end_all(end)
                elif pause is None:
                    pause = min(1.0, left)
            if not is_behind:
                await self._wait(pause)

    async def _wait(self, pause: float | None) -> None:
        """Returns after a pause, or soon when there is something to be written."""
        if await happens_within(self._something, pause):
            await asyncio.sleep(0.02 if pause is None else min(pause, 0.02))

    async def _send(self) -> None:
        while self._sending or self._waiting:
            if not self._sending:
                # What is tried again has to be the same.
                self._sending, self._waiting = b"".join(self._waiting), []
            await asyncio.to_thread(self._files.append, self._orders, self._sending, self._size)
            self._size += len(self._sending)
            self._sending = b""
        for future in self._written:
            if not future.done():
                future.set_result(None)
        self._written.clear()

    async def _receive(self) -> bool:
        """Takes what the job has said since; returns whether there is more."""
        position = self._position
        data = await asyncio.to_thread(self._files.read, self._events, position, MAX_BYTES)
        if len(data) == MAX_BYTES and b"\n" not in data:
            data = await asyncio.to_thread(self._files.read, self._events, position)
        if position != self._position:
            return True  # a trial was added meanwhile, from whose first words on all is read again
        data = data[: data.rfind(b"\n") + 1]
        hole = data.find(b"\0")
        if hole >= 0:  # a mount knows the length before it has the content
            data = data[: data.rfind(b"\n", 0, hole) + 1]
        self._position += len(data)
        for line in data.split(b"\n"):
            if line:
                self._take_line(line)
        return bool(data)

    def _take_line(self, line: bytes) -> None:
        try:
            name, content = messages.parse_event(line)
            if name == "problem":
                logger.warning("job %s: %s", self._job, content["message"])
            elif name == "ready":
                logger.debug("job %s: courier %s works", self._job, content.get("version"))
            elif name == "sent":
                self._on_sent(str(content["trialId"]))
            else:
                self._take(name, content)
        except (ValueError, KeyError, TypeError) as error:
            # The job writes a line again that was cut short when it died.
            logger.warning("job %s: a line cannot be understood (%s): %r", self._job, error, line[:200])

    def _take(self, name: str, content: messages.Message) -> None:
        key = messages.trial_of(content)
        watched = self._trials.get(key)
        if watched is None:
            self._passed_over.add(key)
            return
        if watched.ended:
            return
        if name == "started":
            if not watched.started:
                watched.started = True
                self._emit(messages.started_event(content))
        elif name == "waits":
            if not watched.started:
                self._emit(messages.waits_event(content))
        elif name == "reported":
            end = int(content.get("endOffset", 0))
            if end > watched.reached:
                watched.reached = end
                watched.later.append((name, content))
        elif name == "ended":
            watched.ended = True
            watched.later.append((name, content))
        self._tell(key, watched)

    def _tell(self, key: tuple[str, int], watched: _Watched) -> None:
        """Emits what may be told now: no results before those told last are stored."""
        while watched.later:
            name, content = watched.later[0]
            if name == "reported" and watched.position > watched.acknowledged:
                return
            watched.later.popleft()
            if name == "reported":
                event = messages.reported_event(content)
                watched.position = event.end_offset or 0
                self._emit(event)
            else:
                del self._trials[key]
                self._emit(messages.ended_event(content))

    def _end_all(self, end: _JobEnd) -> None:
        for (trial_id, attempt), watched in list(self._trials.items()):
            if not watched.later:
                del self._trials[trial_id, attempt]
                self._emit(
                    TrialEnded(
                        trial_id, attempt, at=time.time(), problem=end.problem, stderr_tail=end.stderr_tail
                    )
                )

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the spool of job %s broke", self._job, exc_info=error)
            self._emit(
                TrainingServiceFailed(f"the spool of job {self._job} broke: {error!r}", at=time.time())
            )
