"""Runs an experiment that has started to its end."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable
from pathlib import Path

from nni_config import default_experiments_directory
from nni_proto.resource_names import parse_experiment_name
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.trial_pb2 import Trial

from nni_client import words
from nni_client.attached import AttachedManager
from nni_client.errors import CallError
from nni_client.experiment_log import LOGGER
from nni_client.failures import failure_reasons
from nni_client.following import Outcome, follow
from nni_client.interrupts import Interrupts
from nni_client.manager_output import log_ending
from nni_client.manager_process import ManagerProcess, describe_exit
from nni_client.progress import Progress
from nni_client.screen import Screen, say
from nni_client.unattached import is_interrupted


def run_to_end(
    manager: AttachedManager,
    experiment: Experiment,
    before: Experiment | None,
    screen: Screen,
    interrupts: Interrupts,
    stop: Callable[[], None],
    leave: Callable[[], None],
    read: Callable[[], Experiment],
) -> bool | None:
    """Shows an experiment until it has ended, ends its manager and prints the summary.

    Args:
        manager: The manager, started by this process.
        experiment: The experiment as it is now.
        before: The experiment as it was before it was resumed; what it had to tell then is not told again.
        screen: Where to show it.
        interrupts: Ctrl-C stops the experiment; once more, it stops waiting for that.
        stop: Stops the experiment, and its manager.
        leave: Stops waiting for the manager.
        read: Returns the experiment, also when its manager has gone.

    Returns:
        What `Experiment.run` returns.

    Raises:
        CallError: The manager refuses to be watched or stopped.
    """
    process = manager.process
    assert process is not None
    progress = Progress(experiment)
    try:
        outcome = follow(manager.connection, process, progress, screen, interrupts, before)
    finally:
        screen.close()
    failures = _failures(manager, progress)
    if outcome is Outcome.INTERRUPTED:
        say(_stopping(interrupts.cause))
    try:
        with interrupts.raised_here():
            stop()
    except KeyboardInterrupt:
        leave()
        return None
    ending = Progress(read())
    has_ended = ending.has_ended and not is_interrupted(ending.experiment)
    if outcome is Outcome.MANAGER_GONE and not has_ended:
        LOGGER.error("%s", _loss(process))
        return False
    for warning in ending.experiment.warnings[len(progress.experiment.warnings) :]:
        say(f"Warning: {warning}")
    say(words.summary(ending, _named_to_nnictl(ending.experiment), failures))
    if outcome is Outcome.INTERRUPTED:
        return None
    failed = Experiment.STATUS_ERROR in (progress.experiment.status, ending.experiment.status)
    return not failed and not ending.every_trial_failed


def _failures(manager: AttachedManager, progress: Progress) -> list[str]:
    """Returns why trials failed, read before the manager is ended."""
    if not progress.count(Trial.STATUS_FAILED):
        return []
    try:
        with manager.connection.session() as session:
            return failure_reasons(session, progress.experiment.name)
    except CallError as error:
        LOGGER.info("The reasons of failed trials cannot be read: %s", error)
        return []


def _stopping(cause: signal.Signals) -> str:
    if cause is signal.SIGINT:
        return "Stopping: the trials are told to end. Press Ctrl-C again to stop waiting for them."
    return (
        f"Stopping because of {cause.name}: the trials are told to end. Another {cause.name}, or Ctrl-C, "
        "stops the waiting for them."
    )


def _named_to_nnictl(experiment: Experiment) -> str:
    experiment_id = parse_experiment_name(experiment.name)
    directory = Path(experiment.directory).parent
    if directory == default_experiments_directory():
        return experiment_id
    return f"{experiment_id} --experiments-dir {shlex.quote(str(directory))}"


def _loss(manager: ManagerProcess) -> str:
    how = describe_exit(manager.process.returncode)
    return (
        f"The manager ended unexpectedly: {how}. The record of the experiment is kept.\n"
        f"{log_ending(manager.log_directory)}"
    )
