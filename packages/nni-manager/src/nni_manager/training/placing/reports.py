"""Keeps what is known of the hosts' GPUs up to date, while that matters."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable

from nni_manager.training.host import Host, HostReport
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.placement import Placements

logger = logging.getLogger(__name__)


class _Asked:
    """A host that is asked, when that was last done, and what makes it asked at once."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.at = -math.inf
        self.now = asyncio.Event()


class ReportKeeper:
    """Asks hosts for their GPUs, each on its own: a slow one keeps no other waiting."""

    def __init__(
        self,
        hosts: Iterable[Host],
        placements: Placements,
        interval: float,
        changed: Callable[[], None],
    ) -> None:
        """Makes a keeper that asks nobody yet.

        Args:
            hosts: Those whose GPUs matter.
            placements: Gets the reports.
            interval: The seconds after which a report is too old to rely on.
            changed: Called after each report.
        """
        self._asked = {host.name: _Asked(host) for host in hosts}
        self._placements = placements
        self._interval = interval
        self._changed = changed
        self._wanted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def ask(self, name: str) -> None:
        """Asks a host once, if its GPUs matter."""
        asked = self._asked.get(name)
        if asked is not None:
            before, report = self._placements.hosts[name].report, await _report(asked.host)
            asked.at = asyncio.get_running_loop().time()
            if report.gpu_problem and (before is None or before.gpu_problem != report.gpu_problem):
                logger.warning("the GPUs of %s cannot be listed: %s", name, report.gpu_problem)
            self._placements.take_report(name, report)

    def begin(self) -> None:
        """Begins to ask whenever that is wanted."""
        self._tasks = [
            asyncio.create_task(self._keep(asked), name=f"GPUs of {name}")
            for name, asked in self._asked.items()
        ]

    def want(self, wanted: bool) -> None:
        """Says whether the reports matter now; when they do again, old ones are forgotten first."""
        if not wanted:
            self._wanted.clear()
        elif not self._wanted.is_set():
            for name in self._asked:
                self._forget_old(name)
            self._wanted.set()

    def ask_now(self, name: str) -> None:
        """Has a host asked without delay, if the reports matter now."""
        if name in self._asked:
            self._forget_old(name)
            self._asked[name].at = -math.inf
            self._asked[name].now.set()

    async def close(self) -> None:
        """Asks nobody any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def _forget_old(self, name: str) -> None:
        if self._asked[name].at + self._interval < asyncio.get_running_loop().time():
            self._placements.take_report(name, None)

    async def _keep(self, asked: _Asked) -> None:
        state = self._placements.hosts[asked.host.name]
        while not state.out:
            await self._wanted.wait()
            asked.now.clear()
            if state.unreachable_since is not None:
                await asked.now.wait()  # it is asked when it is reachable again
                continue
            delay = asked.at + self._interval - asyncio.get_running_loop().time()
            if delay <= 0:
                await self.ask(asked.host.name)
                self._changed()
                continue
            timer = asyncio.get_running_loop().call_later(delay, asked.now.set)
            await asked.now.wait()
            timer.cancel()


async def _report(host: Host) -> HostReport:
    try:
        return await host.report()
    except TrainingServiceError as error:
        return HostReport((), str(error), time.time())
    except Exception as error:
        logger.exception("%s could not say which GPUs it has", host.name)
        return HostReport((), repr(error), time.time())
