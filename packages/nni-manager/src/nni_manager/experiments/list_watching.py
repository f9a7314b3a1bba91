"""Tells what changes in the list of experiments to whoever watches it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

from nni_manager.experiments.listing import ListedExperiment

_LEAST_SECONDS = 1.0
_SHARE = 20
"""A look at a large folder takes long: looking takes one part in this many of the time at most."""


@dataclass(frozen=True, slots=True)
class ListChange:
    """What has changed in the list.

    Attributes:
        revision: Goes in `after_revision` of a later watch.
        is_whole: Whether the experiments are all there are.
        experiments: New and changed ones, the newest first.
        removed: The ids of those that are no more.
    """

    revision: str
    is_whole: bool
    experiments: tuple[ListedExperiment, ...]
    removed: tuple[str, ...]


class WatchedList:
    """Looks at the list while somebody watches it, once for all who do.

    A revision is good for as long as this object lives: with another one, all experiments are told.
    """

    def __init__(self, look: Callable[[], Awaitable[list[ListedExperiment]]], closed: asyncio.Event) -> None:
        """Looks at nothing yet.

        Args:
            look: Returns all experiments, the newest first.
            closed: Ends all watches when it is set.
        """
        self._look = look
        self._closed = closed
        self._life = secrets.token_hex(4)
        self._step = 0
        self._shown: dict[str, ListedExperiment] = {}
        self._changed_at: dict[str, int] = {}
        self._looking = asyncio.Lock()
        self._next_look = 0.0

    async def watch(self, after_revision: str) -> AsyncIterator[ListChange]:
        """Yields what changed after a revision, all for "", then what changes; ends with the manager.

        The first answer comes at once, although nothing has changed.
        """
        life, _, number = after_revision.partition("-")
        step = int(number) if life == self._life and number.isdecimal() else -1
        is_first = True
        while not self._closed.is_set():
            await self._look_if_due()
            if is_first or self._step > step:
                yield self._since(step)
                step, is_first = self._step, False
            with contextlib.suppress(asyncio.TimeoutError):
                wait = max(0.01, self._next_look - time.monotonic())
                await asyncio.wait_for(self._closed.wait(), wait)

    def _since(self, step: int) -> ListChange:
        changed = {name for name, changed_at in self._changed_at.items() if changed_at > step}
        return ListChange(
            revision=f"{self._life}-{self._step}",
            is_whole=step < 0,
            experiments=tuple(each for name, each in self._shown.items() if name in changed),
            removed=tuple(sorted(changed - self._shown.keys())) if step >= 0 else (),
        )

    async def _look_if_due(self) -> None:
        async with self._looking:
            began = time.monotonic()
            if began < self._next_look:
                return
            self._take(await self._look())
            now = time.monotonic()
            self._next_look = now + max(_LEAST_SECONDS, _SHARE * (now - began))

    def _take(self, found: list[ListedExperiment]) -> None:
        before = self._shown
        self._shown = {each.folder.experiment_id: each for each in found}
        changed = [name for name, each in self._shown.items() if _differ(each, before.get(name))]
        changed += before.keys() - self._shown.keys()
        if changed:
            self._step += 1
            self._changed_at.update(dict.fromkeys(changed, self._step))


def _differ(one: ListedExperiment, other: ListedExperiment | None) -> bool:
    return one is not other and (other is None or _as_shown(one) != _as_shown(other))


def _as_shown(listed: ListedExperiment) -> ListedExperiment:
    """Returns an experiment without what changes all the time and no list shows."""
    summary = listed.summary
    if summary is not None:
        summary = replace(summary, written_at=0.0, running_seconds=0.0)
    return replace(listed, summary=summary, folder=replace(listed.folder, summary=None))
