"""Keeps a connection to a machine: when it is lost, another one is made, with longer and longer pauses."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from nni_manager.training.courier_connection import cancelled
from nni_manager.training.host import HostChanged
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.ssh.connection import SshConnection
from nni_manager.waiting import happens_within

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0
"""Seconds between tries to reach the machine again, doubled each time."""

GetReady = Callable[[SshConnection], Awaitable[None]]
"""Makes what a fresh connection needs: the machine may have lost it."""


class HostUnreachableError(TrainingServiceError):
    """The machine cannot be reached now, and nobody is to wait for it."""


class Opener(Protocol):
    """Connects."""

    def __call__(self) -> Awaitable[SshConnection]:
        """Returns a connection that works, or raises SshError."""


class ReconnectingLink:
    """The way to a machine, which may be closed for a while.

    Attributes:
        lost_at: Since when the machine cannot be reached, by the monotonic clock; None while it can.
        reason: Why not.
    """

    def __init__(
        self, name: str, opener: Opener, get_ready: GetReady, tell: Callable[[HostChanged], None]
    ) -> None:
        """Connects to nothing yet.

        Args:
            name: The host.
            opener: Connects.
            get_ready: Is called for each connection before anyone gets it.
            tell: Gets when the machine became unreachable and reachable again.
        """
        self.lost_at: float | None = None
        self.reason = ""
        self._name = name
        self._opener = opener
        self._get_ready = get_ready
        self._tell = tell
        self._connection: SshConnection | None = None
        self._changed = asyncio.Event()
        self._closing = False
        self._hurry = asyncio.Event()
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects for the first time.

        Raises:
            TrainingServiceError: That is impossible, or the machine cannot be made ready.
        """
        self._connection = await self._connect()
        self._task = asyncio.create_task(self._keep(), name=f"connection to {self._name}")

    def open_later(self, lost_at: float, reason: str) -> None:
        """Tries to connect from now on, after `open` has failed.

        Args:
            lost_at: Since when the machine cannot be reached, by the monotonic clock.
            reason: Why not.
        """
        self.lost_at, self.reason = lost_at, reason
        since = time.time() - (time.monotonic() - lost_at)
        self._tell(HostChanged(self._name, False, since, reason))
        self._task = asyncio.create_task(self._keep_later(), name=f"connection to {self._name}")

    async def connection(self, patience: float | None = None) -> SshConnection:
        """Returns the connection, as soon as there is one.

        Args:
            patience: How many seconds to wait for it, None for as long as it takes.

        Raises:
            HostUnreachableError: There was none in that time, or the link is being closed.
        """
        deadline = None if patience is None else time.monotonic() + patience
        while True:
            if self._connection is not None and self._connection.is_open:
                return self._connection
            if self._closing:
                raise HostUnreachableError(f"{self._name} is unreachable: {self.reason}")
            self._changed.clear()
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not await happens_within(self._changed, left):
                raise HostUnreachableError(f"{self._name} is unreachable: {self.reason}")

    async def try_now(self, patience: float) -> None:
        """Tries to reach a machine that is away without a further pause, and returns when that was tried.

        Args:
            patience: The seconds after which it returns in any case.
        """
        if self.lost_at is None:
            return
        self._tried.clear()
        self._hurry.set()
        await happens_within(self._tried, patience)

    async def probe(self, seconds: float) -> None:
        """Finds out soon whether the machine is still there: a silent end is noticed late.

        Args:
            seconds: How long it has to say anything. One that is away already is tried again at once.
        """
        if self.lost_at is not None:
            self._hurry.set()
        elif self._connection is not None:
            await self._connection.probe(seconds)

    def wait_no_longer(self) -> None:
        """Says that nobody is to wait for a connection any more: there is one now, or there is none."""
        self._closing = True
        self._changed.set()

    @property
    def open_connection(self) -> SshConnection | None:
        """The connection, None while there is none that works."""
        return None if self.lost_at is not None else self._connection

    async def close(self) -> None:
        """Ends the connection and makes no other."""
        self.wait_no_longer()
        if self._task is not None:
            await cancelled(self._task)
            self._task = None
        if self._connection is not None:
            await self._connection.close()

    async def _connect(self) -> SshConnection:
        connection = await self._opener()
        try:
            await self._get_ready(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _keep_later(self) -> None:
        self._connection = await self._reconnect()
        self._gain()
        await self._keep()

    async def _keep(self) -> None:
        while self._connection is not None:
            reason = await self._connection.wait_closed()
            await self._connection.close()
            self._lose(reason)
            self._connection = await self._reconnect()
            self._gain()

    async def _reconnect(self) -> SshConnection:
        pause = FIRST_PAUSE
        while True:
            await happens_within(self._hurry, pause)
            self._hurry.clear()
            try:
                return await self._connect()
            except (OSError, TrainingServiceError) as error:
                if str(error) != self.reason:
                    logger.warning("%s cannot be reached again yet: %s", self._name, error)
                self.reason = str(error)
            except Exception as error:  # trials go on there: the way to them is not given up
                logger.exception("%s: a try to reach it failed", self._name)
                self.reason = repr(error)
            self._tried.set()
            pause = min(2 * pause, LONGEST_PAUSE)

    def _lose(self, reason: str) -> None:
        self.lost_at, self.reason = time.monotonic(), reason
        logger.warning("%s is unreachable (%s); its trials go on", self._name, reason)
        self._tell(HostChanged(self._name, False, time.time(), reason))

    def _gain(self) -> None:
        assert self.lost_at is not None
        logger.info("%s is reachable again after %.0f s", self._name, time.monotonic() - self.lost_at)
        self.lost_at, self.reason = None, ""
        self._changed.set()
        self._tried.set()
        self._tell(HostChanged(self._name, True, time.time()))
