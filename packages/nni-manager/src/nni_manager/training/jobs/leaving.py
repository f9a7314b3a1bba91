"""What an experiment has in the storages that it shares with its jobs, and what of that may go.

As on other machines, nothing is left when the experiment has ended but what is nowhere else: files of a trial
that are not all here, and checkpoints, from which a trial of a resumed experiment may go on. In a storage
that somebody named all files stay that trials made.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from nni_manager.shared_storage.interface import SharedFiles, SharedStorageError
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.experiment_mark import PATTERN
from nni_manager.training.jobs.outputs import is_made
from nni_manager.training.jobs.platform import JobPlatform, PlatformAwayError
from nni_manager.waiting import result_within

logger = logging.getLogger(__name__)

LEAVING_SECONDS = 60.0
"""How long it may take to ask for the jobs for the last time, and as long to remove files."""

_SPOOL, _TRIALS = "spool", "trials"
_CHECKPOINTS = "checkpoints/"


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A folder in a storage.

    Attributes:
        name: Its path below the experiment's folder: "spool", "trials", "archives", also below a mark.
        count: How many files it has.
        bytes: How many bytes they have.
    """

    name: str
    count: int
    bytes: int


def stored_parts(stored: Sequence[SharedFiles], *, with_marks: bool) -> list[StoredPart]:
    """Returns what there is in storages, by folder; it blocks.

    Args:
        stored: The experiment's folders.
        with_marks: Whether what lies below marks counts: there it is that of other experiments with this id.

    Raises:
        SharedStorageError: A storage cannot be listed.
    """
    found: dict[str, list[int]] = {}
    for files in stored:
        for name, size in files.sizes().items():
            if part := _part_of(name, with_marks):
                found.setdefault(part, []).append(size)
    return [StoredPart(name, len(sizes), sum(sizes)) for name, sizes in sorted(found.items())]


def remove_parts(stored: Sequence[SharedFiles], parts: Collection[StoredPart]) -> None:
    """Removes folders from storages; it blocks.

    Raises:
        SharedStorageError: One cannot be removed.
    """
    for files in stored:
        for part in parts:
            files.remove(part.name)
        files.remove_empty_folders()


async def leave(platform: JobPlatform, is_own: Callable[[str], bool], is_here: Callable[[str], bool]) -> None:
    """Removes what may go of an experiment that has ended, unless a job of it runs; problems are logged.

    Args:
        platform: Where its jobs ran, still open.
        is_own: Returns whether a job is one of the experiment.
        is_here: Returns whether all files of a trial are here; it blocks.
    """
    try:
        listed = await result_within(platform.list(), LEAVING_SECONDS)
        own = {name: report for name, report in listed.items() if is_own(name)}
        if running := [name for name, report in own.items() if not report.state.is_over]:
            logger.info("%s: files stay in the storage, %d jobs may need them", platform.name, len(running))
            return
        deadline = time.monotonic() + LEAVING_SECONDS
        await asyncio.to_thread(
            _remove, platform.stored, platform.storage.keeps_files, own.keys(), is_here, deadline
        )
    except (
        PlatformAwayError,
        TrainingServiceError,
        SharedStorageError,
        OSError,
        asyncio.TimeoutError,
    ) as error:
        logger.warning(
            "%s: files of the experiment stay in the storage: %s; `nnictl platform clean ID --files` removes "
            "them",
            platform.name,
            str(error) or "it took too long",
        )


def _remove(
    stored: Sequence[SharedFiles],
    keeps_files: bool,
    jobs: Collection[str],
    is_here: Callable[[str], bool],
    deadline: float,
) -> None:
    files = stored[0]
    trials: dict[str, list[str]] = {}
    for name in files.names(_TRIALS):
        trial_id, _, path = name.removeprefix(f"{_TRIALS}/").partition("/")
        trials.setdefault(trial_id, []).append(path)
    doomed = [(files, f"{_SPOOL}/{job}") for job in jobs]
    for trial_id, paths in trials.items():
        is_kept = any(path.startswith(_CHECKPOINTS) or (keeps_files and is_made(path)) for path in paths)
        if not is_kept and _is_known_here(is_here, trial_id):
            doomed.append((files, f"{_TRIALS}/{trial_id}"))
    for each in stored:
        parts = {_part_of(name, with_marks=False) for name in each.names()}
        doomed += [(each, part) for part in sorted(parts - {_SPOOL, _TRIALS, ""})]
    for holder, name in doomed:
        if time.monotonic() > deadline:
            raise TimeoutError
        holder.remove(name)
    for each in stored:
        each.remove_empty_folders()


def _is_known_here(is_here: Callable[[str], bool], trial_id: str) -> bool:
    try:
        return is_here(trial_id)
    except (OSError, ValueError, SharedStorageError) as error:  # no reason to leave the others
        logger.warning("trial %s: its files stay in the storage: %s", trial_id, error)
        return False


def _part_of(name: str, with_marks: bool) -> str:
    """Returns the folder that a file counts to, "" for one of another experiment."""
    first, _, rest = name.partition("/")
    if not re.fullmatch(PATTERN, first):
        return first
    return f"{first}/{rest.partition('/')[0]}" if with_marks else ""
