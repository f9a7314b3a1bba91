"""nnictl wait."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from nni_config.experiment_folders import FolderSummary
from nni_config.local_state import ManagerRecord
from nni_config.processes import is_same_process
from nni_proto.resource_names import experiment_name
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.trial_pb2 import Trial

from nni_client import words
from nni_client.commands.selection import connection_to, find_readable
from nni_client.commands.showing import end_reason, read_experiment, status_text
from nni_client.progress import Progress
from nni_client.watch import Watcher

TIMED_OUT = 124
"""The exit code when the timeout was over, as that of the program `timeout`."""

_TICK_SECONDS = 0.25


def wait_for_end(experiment_id: str | None, timeout: float | None, directory: Path | None) -> int:
    """Waits until an experiment has ended and prints how.

    Args:
        experiment_id: The experiment; None for the only one that runs.
        timeout: How many seconds to wait at most; None for no limit.
        directory: The folder that holds its folder; None for all that were ever used.

    Returns:
        The exit code: 0 when it is DONE and a trial succeeded, 124 when the time was over, else 1.

    Raises:
        RuntimeError: There is no such experiment, or its record cannot be read.
    """
    folder = find_readable(experiment_id, directory)
    deadline = None if timeout is None else time.monotonic() + timeout
    if folder.manager is not None and not _wait(folder, folder.manager, deadline):
        experiment = read_experiment(folder)
        print(f"{folder.experiment_id}: not ended within {timeout:g} s, {words.counts(experiment)}")
        return TIMED_OUT
    # Looked for anew: its manager may have gone meanwhile, which tells how it ended.
    folder = find_readable(folder.experiment_id, folder.directory)
    experiment = read_experiment(folder)
    _print_end(folder, experiment)
    succeeded = any(it.status == Trial.STATUS_SUCCEEDED for it in experiment.trial_counts)
    return 0 if experiment.status == Experiment.STATUS_DONE and succeeded else 1


def _wait(folder: FolderSummary, manager: ManagerRecord, deadline: float | None) -> bool:
    """Returns whether the experiment or its manager has ended before the deadline."""
    name = experiment_name(folder.experiment_id)
    progress = Progress(Experiment(name=name))
    with Watcher(connection_to(manager), name) as watcher:
        while True:
            # Asked before the look for changes: all that it had to say is then there to be read.
            is_gone = not is_same_process(manager.pid, manager.process_start_time)
            left = _TICK_SECONDS if deadline is None else min(_TICK_SECONDS, deadline - time.monotonic())
            change = watcher.next(max(left, 0.0))
            if change is not None:
                progress.apply(change)
            if progress.has_ended or (is_gone and change is None):
                return True
            if left <= 0 and change is None:
                return False


def _print_end(folder: FolderSummary, experiment: Experiment) -> None:
    reason = f": {message}" if (message := end_reason(experiment)) else ""
    print(f"{folder.experiment_id}: {status_text(folder, experiment)}{reason}")
    print(f"  {words.counts(experiment)}")
    if best := words.best(experiment):
        print(f"  best {best}")
    for error in words.further_errors(experiment):
        print("  " + error.replace("\n", "\n  "), file=sys.stderr)
