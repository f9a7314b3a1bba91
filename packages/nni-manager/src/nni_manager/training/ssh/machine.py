"""A machine with our code and SDK on it, on which commands of ours can be started while it can be reached."""

from __future__ import annotations

import hashlib
import logging
import posixpath
import shlex
from collections.abc import Awaitable, Callable
from typing import Protocol

from nni_manager.training.courier_connection import CONNECTION_LOST
from nni_manager.training.host import HostChanged
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.ssh.checks import check_machine
from nni_manager.training.ssh.connection import RunResult, SshConnection
from nni_manager.training.ssh.courier_channel import CourierRules, RemotePlace, RemoteProcess
from nni_manager.training.ssh.errors import Phase, SshError
from nni_manager.training.ssh.reconnecting import HostUnreachableError, ReconnectingLink
from nni_manager.training.ssh.remote_files import RemoteFiles
from nni_manager.training.ssh.site import Site
from nni_manager.training.ssh.target import SshTarget

logger = logging.getLogger(__name__)

FILES_PATIENCE = 1.0
"""How long a request for files waits for a machine that cannot be reached, before it fails."""

_LOOK_SECONDS = 20.0


class ShippedCode(Protocol):
    """What was put on a machine."""

    @property
    def code_directory(self) -> str:
        """The trials' code there."""

    @property
    def sdk_directory(self) -> str:
        """The folder with our package nni."""


Ship = Callable[[SshConnection, str, str], Awaitable[ShippedCode]]
"""Puts code and SDK on a machine: gets the connection, the experiment's folder there, and its Python."""


class RemoteMachine:
    """Keeps one connection to a machine and runs over it what is ours.

    Attributes:
        name: The host.
        files: Asks for files there.
    """

    def __init__(
        self,
        target: SshTarget,
        experiment_id: str,
        directory: str,
        python_path: str | None,
        ship: Ship,
        tell: Callable[[HostChanged], None],
        site: Site | None = None,
    ) -> None:
        """Connects to nothing yet.

        Args:
            target: The machine.
            experiment_id: The experiment.
            directory: The experiment's folder there; "~/" begins one in the user's home.
            python_path: Where its Python is: the interpreter, or the folder it is in.
            ship: Puts code and SDK there.
            tell: Gets when the machine became unreachable and reachable again.
            site: Gets it ready first, None if nothing else is needed there.
        """
        self.name = target.name
        self.files = RemoteFiles(self._start_files)
        self._experiment_id = experiment_id
        self._directory = directory
        self._python_path = python_path
        self._ship = ship
        self._site = site
        self._place: RemotePlace | None = None
        self._code_directory = ""
        self._link = ReconnectingLink(self.name, lambda: SshConnection.open(target), self._get_ready, tell)

    @property
    def directory(self) -> str:
        """The experiment's folder there, absolute once the machine was reached."""
        return self._place.directory if self._place is not None else self._directory

    @property
    def code_directory(self) -> str:
        """The trials' code there."""
        return self._code_directory

    @property
    def lost_at(self) -> float | None:
        """Since when it cannot be reached, by the monotonic clock; None while it can."""
        return self._link.lost_at

    @property
    def reason(self) -> str:
        """Why it cannot be reached."""
        return self._link.reason

    async def open(self) -> None:
        """Connects, looks for what is needed, and puts code and SDK there.

        Raises:
            TrainingServiceError: Something is wrong there; the text names all of it.
        """
        await self._link.open()

    def open_later(self, lost_at: float, reason: str) -> None:
        """Tries to do that from now on, after `open` has failed since the machine cannot be reached.

        Args:
            lost_at: Since when, by the monotonic clock.
            reason: Why not.
        """
        self._link.open_later(lost_at, reason)

    async def wait(self) -> None:
        """Waits until the machine is ready.

        Raises:
            HostUnreachableError: Nobody is to wait for it any more.
        """
        await self._link.connection()

    async def run(self, command: Callable[[RemotePlace], str], timeout: float) -> RunResult:
        """Runs a command.

        Args:
            command: Returns it.
            timeout: After so many seconds it is killed.

        Raises:
            TrainingServiceError: The machine cannot be reached now, or the command takes too long.
        """
        connection = await self._link.connection(patience=0.0)
        return await connection.run(command(self._ready_place()), timeout=timeout)

    async def start_courier(self, rules: CourierRules) -> RemoteProcess:
        """Starts a courier, once the machine can be reached.

        Raises:
            TrainingServiceError: It cannot be started; with CONNECTION_LOST at the beginning of the text if
                the connection was lost on the way.
        """
        connection = await self._link.connection()
        try:
            process = await connection.start(self._ready_place().courier(rules))
        except SshError as error:
            if error.phase is Phase.LOST:
                raise TrainingServiceError(f"{CONNECTION_LOST}: {error}") from error
            raise
        return RemoteProcess(process)

    async def try_now(self, patience: float) -> None:
        """Tries at once to reach a machine that is away.

        Args:
            patience: The seconds after which it returns in any case.
        """
        await self._link.try_now(patience)

    async def probe(self, seconds: float) -> None:
        """Finds out soon whether the machine is still there.

        Args:
            seconds: How long it has to say anything.
        """
        await self._link.probe(seconds)

    def wait_no_longer(self) -> None:
        """Says that nobody is to wait until the machine can be reached."""
        self._link.wait_no_longer()

    async def close(self) -> None:
        """Ends the connection and what runs over it."""
        await self.files.close()
        connection = self._link.open_connection
        if self._site is not None and connection is not None:
            try:
                await self._site.leave(connection)
            except TrainingServiceError as error:
                logger.warning("%s: %s", self.name, error)
        await self._link.close()

    async def _start_files(self) -> RemoteProcess:
        connection = await self._link.connection(patience=FILES_PATIENCE)
        try:
            return RemoteProcess(await connection.start(self._ready_place().files()))
        except SshError as error:
            if error.phase is Phase.LOST:
                raise HostUnreachableError(str(error)) from error
            raise

    def _ready_place(self) -> RemotePlace:
        assert self._place is not None  # set before anyone gets a connection
        return self._place

    async def _get_ready(self, connection: SshConnection) -> None:
        if self._place is not None and await self._has_everything(connection, self._place):
            return
        if self._site is not None:
            await self._site.prepare(connection)
        facts = await check_machine(connection, self._directory, python_path=self._python_path)
        shipped = await self._ship(connection, facts.directory, facts.python)
        # Several machines may share the folder; what runs on one of them alone has a folder of its own.
        own = hashlib.sha256(self.name.encode()).hexdigest()[:8]
        self._code_directory = shipped.code_directory
        self._place = RemotePlace(
            experiment_id=self._experiment_id,
            directory=facts.directory,
            run_directory=posixpath.join(facts.directory, f"run-{own}"),
            python=facts.python,
            sdk_directory=shipped.sdk_directory,
            python_path=posixpath.dirname(facts.python) if self._python_path else "",
        )

    async def _has_everything(self, connection: SshConnection, place: RemotePlace) -> bool:
        """Returns whether a machine that was ready once is still: it may have been made anew meanwhile."""
        folders = (place.directory, posixpath.join(place.sdk_directory, "nni"), self._code_directory)
        look = " && ".join(f"test -d {shlex.quote(folder)}" for folder in folders)
        result = await connection.run(f"{look} && test -x {shlex.quote(place.python)}", timeout=_LOOK_SECONDS)
        return result.exit_code == 0
