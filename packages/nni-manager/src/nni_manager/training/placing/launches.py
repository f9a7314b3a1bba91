"""Notes places on the disk before trials are launched there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from nni_manager.training.interface import TrialRun
from nni_manager.training.placement import Attempt, Placement
from nni_manager.training.placing.record import PlacementRecord

Launch = Callable[[TrialRun, Placement], None]
PutBack = Callable[[list[TrialRun], OSError], None]


class Launches:
    """Trials that have a place and are about to be launched; many are noted at a time."""

    def __init__(
        self,
        record: PlacementRecord,
        durable: bool,
        launch: Launch,
        put_back: PutBack,
        done: Callable[[], None],
    ) -> None:
        """Makes it, with nothing to launch.

        Args:
            record: Where places are noted.
            durable: Whether that has to survive a power failure of this machine.
            launch: Launches a trial whose place is noted.
            put_back: Gets the trials whose places could not be noted, and why.
            done: Called when trials were launched that `add` has left for later.
        """
        self._record = record
        self._durable = durable
        self._launch = launch
        self._put_back = put_back
        self._done = done
        self._pending: dict[Attempt, tuple[TrialRun, Placement]] = {}
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Returns how many trials are about to be launched."""
        return len(self._pending)

    def __contains__(self, attempt: Attempt) -> bool:
        """Returns whether an attempt is about to be launched."""
        return attempt in self._pending

    def add(self, run: TrialRun, placement: Placement) -> None:
        """Launches a trial as soon as its place is noted."""
        attempt = (run.trial_id, run.attempt)
        if self._durable:
            self._pending[attempt] = (run, placement)
            if self._task is None:
                self._task = asyncio.create_task(self._work(), name="placements to the disk")
            return
        try:
            self._record.add({attempt: placement})
        except OSError as error:
            self._put_back([run], error)
            return
        self._launch(run, placement)

    def remove(self, attempt: Attempt) -> bool:
        """Does not launch a trial after all; returns whether it was about to be."""
        return self._pending.pop(attempt, None) is not None

    def remove_on(self, host: str) -> list[TrialRun]:
        """Returns the trials that were about to be launched on a host and now are not."""
        found = [run for run, placement in self._pending.values() if placement.host == host]
        for run in found:
            del self._pending[run.trial_id, run.attempt]
        return found

    async def close(self) -> None:
        """Launches nothing any more; what is being written is written."""
        self._pending.clear()
        if self._task is not None:
            await self._task

    async def _work(self) -> None:
        try:
            while self._pending:
                await self._note(dict(self._pending))
        finally:
            self._task = None

    async def _note(self, batch: dict[Attempt, tuple[TrialRun, Placement]]) -> None:
        problem: OSError | None = None
        try:
            self._record.add({attempt: placement for attempt, (_, placement) in batch.items()})
            await asyncio.to_thread(self._record.sync)
        except OSError as error:
            problem = error
        # Meanwhile some were removed, and of those some may have come back with another place.
        ready = [entry for attempt, entry in batch.items() if self._pending.get(attempt) is entry]
        for run, _ in ready:
            del self._pending[run.trial_id, run.attempt]
        if problem is not None:
            self._put_back([run for run, _ in ready], problem)
            return
        for run, placement in ready:
            self._launch(run, placement)
        self._done()
