"""Removes the checkpoints of trials that need not be kept, while an experiment runs."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nni_manager.algorithms.population.checkpoints import SAVE, place_of
from nni_manager.engine.records import TrialRecord
from nni_manager.experiments.checkpoint_retention import Checkpoint, removable, texts_of
from nni_manager.shared_storage.interface import SharedFiles, SharedStorageError
from nni_manager.storage.interface import Storage, StorageError

FOLDER = "checkpoints"
"""The folder in a trial's output that holds its checkpoints."""

_LEAST_SECONDS_BETWEEN_LOOKS = 1.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retention:
    """Which checkpoints are kept, and where they are.

    Attributes:
        keep_best: Those of so many trials with the best results; None for no such rule.
        keep_last: Those of so many trials that ended last; None for no such rule.
        optimize_mode: "maximize" or "minimize".
        homes: The folders with one folder for each trial, as this machine names them.
        population: The folder of a population's checkpoints, as trials name it and as this machine does;
            None without a population.
        containers: The storages that copies of what trials leave are put into.
    """

    keep_best: int | None
    keep_last: int | None
    optimize_mode: str
    homes: tuple[Path, ...]
    population: tuple[str, Path] | None = None
    containers: tuple[SharedFiles, ...] = ()


class CheckpointKeeper:
    """Looks after each commit, and removes what nobody needs. A problem is logged and stops nothing."""

    def __init__(
        self,
        retention: Retention,
        storage: Storage,
        next_change: Callable[[], asyncio.Event],
        output_directory: Callable[[str], str],
    ) -> None:
        """Makes a keeper that has done nothing yet.

        Args:
            retention: What is kept.
            storage: The experiment's record.
            next_change: Returns an event that is set by the next commit.
            output_directory: Returns the folder of a trial's output, as the machine it runs on names it.
        """
        self._retention = retention
        self._storage = storage
        self._next_change = next_change
        self._output_directory = output_directory
        self._revision = 0
        self._checkpoints: dict[str, Checkpoint] = {}
        self._newest_generation: int | None = None
        self._stuck: set[str] = set()
        self._looking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begins to look."""
        self._task = asyncio.create_task(self._watch(), name="keep checkpoints")

    async def close(self) -> None:
        """Ends, after a last look."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        await self._look_safely()

    async def _watch(self) -> None:
        while True:
            change = self._next_change()
            # A look that is under way is finished, whoever ends this task meanwhile.
            await asyncio.shield(self._look_safely())
            await change.wait()
            await asyncio.sleep(_LEAST_SECONDS_BETWEEN_LOOKS)

    async def _look_safely(self) -> None:
        try:
            async with self._looking:
                await asyncio.to_thread(self.look)
        except StorageError as error:
            _LOG.warning("which checkpoints are needed cannot be found out: %s", error)
        except Exception:
            _LOG.exception("checkpoints cannot be looked after")

    def look(self) -> None:
        """Finds out what has changed since, and removes what nobody needs any more."""
        while changed := self._storage.trials_changed_after(self._revision):
            for stored in changed:
                self._take(stored.record)
            self._revision = changed[-1].revision
        retention = self._retention
        for checkpoint in removable(
            self._checkpoints.values(),
            keep_best=retention.keep_best,
            keep_last=retention.keep_last,
            optimize_mode=retention.optimize_mode,
            newest_generation=self._newest_generation,
        ):
            if self._remove(checkpoint):
                del self._checkpoints[checkpoint.trial_id]

    def _take(self, record: TrialRecord) -> None:
        place = place_of(record.parameters) if self._retention.population is not None else None
        generation = None if place is None else place[1]
        if generation is not None:
            self._newest_generation = max(generation, self._newest_generation or 0)
        has_ended = record.status.is_final
        places = {record.trial_id, self._output_directory(record.trial_id).rstrip("/")}
        places |= {str(home / record.trial_id) for home in self._retention.homes}
        if generation is not None:
            places.add(str(record.parameters[SAVE]).rstrip("/"))
        checkpoint = Checkpoint(
            trial_id=record.trial_id,
            sequence_number=record.sequence_number,
            ended_at=(record.ended_at or 0.0) if has_ended else None,
            objective=record.objective,
            places=frozenset(places),
            mentions=texts_of(record.parameters),
            generation=generation,
        )
        if has_ended and generation is None and not self._folders(checkpoint):
            self._checkpoints.pop(record.trial_id, None)  # it saved nothing
        else:
            self._checkpoints[record.trial_id] = checkpoint

    def _folders(self, checkpoint: Checkpoint) -> list[Path]:
        """Returns where the checkpoint is: folders that exist, and lie where they may be removed."""
        candidates = [(home, home / checkpoint.trial_id / FOLDER) for home in self._retention.homes]
        if checkpoint.generation is not None and self._retention.population is not None:
            named, here = self._retention.population
            for place in checkpoint.places:
                if place.startswith(f"{named.rstrip('/')}/"):
                    candidates.append((here, here / place[len(named.rstrip("/")) + 1 :]))
        return [folder for home, folder in candidates if _is_in(folder, home)]

    def _remove(self, checkpoint: Checkpoint) -> bool:
        """Removes a checkpoint; returns False if that is to be tried again."""
        folders = self._folders(checkpoint)
        try:
            # First: as long as it is here the next manager knows of it too.
            for container in self._retention.containers if folders else ():
                container.remove(f"trials/{checkpoint.trial_id}/{FOLDER}")
            for folder in folders:
                shutil.rmtree(folder)
                _LOG.info("removed the checkpoint of trial %s: %s", checkpoint.trial_id, folder)
        except (OSError, SharedStorageError) as error:
            if checkpoint.trial_id not in self._stuck:
                self._stuck.add(checkpoint.trial_id)
                _LOG.warning(
                    "the checkpoint of trial %s cannot be removed, trying again: %s",
                    checkpoint.trial_id,
                    error,
                )
            return False
        self._stuck.discard(checkpoint.trial_id)
        return True


def _is_in(folder: Path, home: Path) -> bool:
    """Returns whether there is such a folder, which is no link and is not reached over one from the home."""
    return folder.is_dir() and folder.resolve() == home.resolve() / folder.relative_to(home)
