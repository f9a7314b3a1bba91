"""Waits for the end of an experiment while showing how far it is."""

from __future__ import annotations

from enum import Enum

from nni_proto.v1.experiment_pb2 import Experiment

from nni_client import words
from nni_client.connection import Connection
from nni_client.interrupts import Interrupts
from nni_client.manager_process import ManagerProcess
from nni_client.progress import Progress
from nni_client.screen import Screen
from nni_client.watch import Watcher

_TICK_SECONDS = 0.25


class Outcome(Enum):
    """Why the waiting was over.

    Attributes:
        ENDED: The experiment has ended.
        INTERRUPTED: Ctrl-C was pressed.
        MANAGER_GONE: The manager ended first.
    """

    ENDED = "ended"
    INTERRUPTED = "interrupted"
    MANAGER_GONE = "manager gone"


def follow(
    connection: Connection,
    manager: ManagerProcess,
    progress: Progress,
    screen: Screen,
    interrupts: Interrupts,
    before: Experiment | None = None,
) -> Outcome:
    """Shows an experiment until it has ended.

    Args:
        connection: The way to the manager.
        manager: The manager.
        progress: What is known of the experiment; kept up to date.
        screen: Where to show it.
        interrupts: Ends the waiting when Ctrl-C is pressed.
        before: The experiment as it was before it was resumed; what happened until then is not shown.

    Raises:
        CallError: The manager refuses to be watched.
    """
    failure_shown = False
    warnings_shown = 0 if before is None else len(before.warnings)
    name = progress.experiment.name
    try:
        with Watcher(connection, name, 0 if before is None else before.revision) as watcher:
            while True:
                # Asked before the look for changes: all that it had to say is then there to be read.
                gone = manager.has_ended
                interrupts.check()
                change = watcher.next(_TICK_SECONDS)
                if change is not None:
                    progress.apply(change)
                if progress.first_failure is not None and not failure_shown:
                    failure_shown = True
                    command = progress.experiment.config.trial_command
                    screen.say(words.failure(progress.first_failure, command))
                warnings = progress.experiment.warnings[warnings_shown:]
                warnings_shown += len(warnings)
                for warning in warnings:
                    screen.say(f"Warning: {warning}")
                screen.show(progress)
                if progress.has_ended:
                    return Outcome.ENDED
                if gone and change is None:
                    return Outcome.MANAGER_GONE
    except KeyboardInterrupt:
        return Outcome.INTERRUPTED
