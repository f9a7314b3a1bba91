"""nnictl log."""

from __future__ import annotations

import shutil
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from nni_config.experiment_folders import FolderKind
from nni_proto.resource_names import experiment_name

from nni_client import results
from nni_client.commands.selection import find, find_readable, open_session


class Lines(NamedTuple):
    """Which lines of a file are printed.

    Attributes:
        first: So many from its beginning; None for no such choice.
        last: So many up to its end; None for no such choice.
    """

    first: int | None = None
    last: int | None = None


def print_log(name: str, experiment_id: str | None, lines: Lines, directory: Path | None) -> None:
    """Prints a file in an experiment's log folder.

    Args:
        name: The file's name.
        experiment_id: The experiment; None for the only one that runs.
        lines: Which lines.
        directory: The folder that holds its folder; None for all that were ever used.

    Raises:
        RuntimeError: There is no such experiment, or it has no such log.
        OSError: The file cannot be read.
    """
    folder = find(experiment_id, directory)
    _print_file(folder.path / "log" / name, lines)


def print_log_path(name: str, experiment_id: str | None, directory: Path | None) -> None:
    """Prints where a file in an experiment's log folder is; the arguments are those of `print_log`.

    Raises:
        RuntimeError: There is no such experiment.
    """
    print(find(experiment_id, directory).path / "log" / name)


def print_trial_folders(experiment_id: str | None, trial_id: str | None, directory: Path | None) -> None:
    """Prints in which folders trials write, as NNI's nnictl did.

    Raises:
        RuntimeError: There is no such experiment or no such trial, or the record cannot be read.
    """
    folder = find(experiment_id, directory)
    if folder.kind is FolderKind.OLD:
        from nni_client.old_records import read_old_experiment

        trials = read_old_experiment(folder.path).trials
    else:
        folder = find_readable(experiment_id, directory)
        with open_session(folder) as session:
            trials = results.list_trial_jobs(session, experiment_name(folder.experiment_id))
    shown = [trial for trial in trials if trial_id in (None, trial.trialJobId)]
    if trial_id is not None and not shown:
        raise RuntimeError(f"Experiment {folder.experiment_id} has no trial {trial_id}")
    for trial in shown:
        print(f"id:{trial.trialJobId} path:{trial.logPath}")


def print_trial_output(
    experiment_id: str | None, trial_id: str, names: Sequence[str], lines: Lines, directory: Path | None
) -> None:
    """Prints what a trial wrote.

    Args:
        experiment_id: The experiment; None for the only one that runs.
        trial_id: The trial.
        names: "stdout", "stderr" or both.
        lines: Which lines of each.
        directory: The folder that holds the experiment's folder; None for all that were ever used.

    Raises:
        RuntimeError: There is no such experiment or trial, or its output is not on this machine.
        OSError: The file cannot be read.
    """
    folder = find_readable(experiment_id, directory)
    with open_session(folder) as session:
        trial = results.get_trial_job(session, experiment_name(folder.experiment_id), trial_id)
    if not trial.logPath or not Path(trial.logPath).is_absolute():
        raise RuntimeError(f"Trial {trial_id} writes on another machine: {trial.logPath or 'not known yet'}")
    for name in names:
        _print_file(Path(trial.logPath) / name, lines)


def _print_file(path: Path, lines: Lines) -> None:
    sys.stdout.flush()
    output = getattr(sys.stdout, "buffer", None)
    try:
        with path.open("rb") as file:
            if output is None:  # a stand-in that takes text only
                sys.stdout.writelines(line.decode("utf-8", "replace") for line in _chosen(file, lines))
            elif lines == Lines():
                shutil.copyfileobj(file, output)
            else:
                output.writelines(_chosen(file, lines))
    except FileNotFoundError:
        raise RuntimeError(f"There is no {path}: nothing was written yet") from None
    sys.stdout.flush()


def _chosen(file: Iterable[bytes], lines: Lines) -> Iterable[bytes]:
    if lines.last is not None:
        return deque(file, lines.last)
    return islice(file, lines.first)
