"""Removes what is on another machine of trials that are fetched, and in the end all that is ours there."""

from __future__ import annotations

import logging

from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.ssh.file_channel import FileRequestError
from nni_manager.training.ssh.finished import FinishedAttempts
from nni_manager.training.ssh.remote_files import RemoteFiles

logger = logging.getLogger(__name__)

_AT_ONCE = 1000


async def remove_trial(
    host_name: str, files: RemoteFiles, trial_id: str, attempt: int, *, outputs_only: bool
) -> None:
    """Removes the folder of a trial; what cannot be removed is told and stays.

    Args:
        host_name: The host.
        files: Asks for files there.
        trial_id: The trial.
        attempt: The attempt that has ended; all before it have too.
        outputs_only: Its logs and what is ours stay, since its process goes on.
    """
    try:
        await files.ask("remove", trial=trial_id, attempts=list(range(attempt + 1)), outputsOnly=outputs_only)
    except FileRequestError as error:
        logger.warning("trial %s: its files on %s stay there: %s", trial_id, host_name, error)
    except TrainingServiceError as error:
        logger.debug("trial %s: its files on %s are removed later: %s", trial_id, host_name, error)


async def remove_experiment(
    host_name: str, files: RemoteFiles, finished: FinishedAttempts, directory: str, *, alone: bool
) -> None:
    """Removes all that is ours on a machine, unless trials run there or have results that nobody has.

    Args:
        host_name: The host.
        files: Asks for files there.
        finished: Knows which attempts are fetched.
        directory: The experiment's folder there.
        alone: Whether other machines that share the folder may go on with it.

    Raises:
        TrainingServiceError: It cannot be removed.
    """
    answer, _ = await files.ask("trials")
    try:
        trials = {str(name): [int(attempt) for attempt in found] for name, found in answer["trials"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileRequestError(f"{host_name} lists trials in a way that makes no sense") from error
    unknown = [
        trial_id
        for trial_id, attempts in trials.items()
        if not all(finished.is_noted(trial_id, attempt) for attempt in attempts)
    ]
    if unknown:
        logger.info("%s: %d trials may run on; %s stays there", host_name, len(unknown), directory)
        return
    await files.ask("stop")  # what runs still was given up
    removable = {
        trial_id: attempts
        for trial_id, attempts in trials.items()
        if all(finished.is_complete(trial_id, attempt) for attempt in attempts)
    }
    names = list(removable)
    for start in range(0, len(names), _AT_ONCE):
        part = {name: removable[name] for name in names[start : start + _AT_ONCE]}
        await files.ask("removeTrials", trials=part)
    gone, _ = await files.ask("removeExperiment", alone=alone)
    if not gone.get("gone"):
        logger.info("%s: files of trials stay in %s/trials", host_name, directory)
