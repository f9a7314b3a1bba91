"""Where the files of trials and the logs of experiments are, and why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nni_manager.engine.records import TrialRecord
from nni_manager.engine.statuses import ExperimentStatus, TrialStatus
from nni_manager.experiments.errors import InvalidArgumentError
from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.experiments.reading import ExperimentReader
from nni_manager.training.host import THIS_MACHINE

_ENDED = (ExperimentStatus.ERROR, ExperimentStatus.STOPPED, ExperimentStatus.DONE)
_HERE = ("", THIS_MACHINE)


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A folder whose files can be read.

    Attributes:
        folder: The folder.
        prefix: What the paths of its files begin with.
        missing_reason: Why there is nothing in it that could be read now, for when there is not.
        has_ended: Whether nothing is added to its files any more.
        is_to_come: Whether files that are not there are to come without more ado.
    """

    folder: Path
    prefix: str
    missing_reason: str
    has_ended: bool
    is_to_come: bool

    def path_of(self, path: str) -> str:
        """Returns the path in the folder of a path that a caller gave.

        Raises:
            InvalidArgumentError: It does not begin as all paths here do.
        """
        if not path.startswith(self.prefix):
            raise InvalidArgumentError(
                f"path: {path!r} is not the path of a log, such as {self.prefix}nnimanager.log"
            )
        return path.removeprefix(self.prefix)


async def file_place(reader: ExperimentReader, trial_id: str | None) -> FilePlace:
    """Returns where the files of a trial are, or the logs of an experiment.

    Args:
        reader: Reads the experiment.
        trial_id: The trial; None for the experiment.

    Raises:
        TrialNotFoundError: There is no such trial.
    """
    if trial_id is None:
        folder = ExperimentFolder(Path(reader.directory))
        status = (await reader.experiment()).record.status
        missing = f"{folder.log_directory} holds no log; it was deleted or moved"
        ended = status in _ENDED
        return FilePlace(folder.log_directory, "log/", missing, ended, is_to_come=not ended)
    view = await reader.trial(trial_id)
    trial, path = view.stored.record, Path(view.output_directory)
    is_to_come = trial.status in (TrialStatus.RUNNING, TrialStatus.UNKNOWN)
    return FilePlace(path, "", _why_missing(trial, path), trial.status.is_final, is_to_come)


def _why_missing(trial: TrialRecord, path: Path) -> str:
    name = f"trial {trial.trial_id}"
    if trial.status is TrialStatus.WAITING:
        why = f": {trial.waiting_reason}" if trial.waiting_reason else ""
        return f"{name} has not started{why}"
    if not trial.status.is_final:
        if trial.host in _HERE:
            return f"{name} runs and has written nothing to {path} yet"
        return (
            f"{name} runs on {trial.host}: its output comes here every few seconds, its other files when it "
            f"has ended, to {path}"
        )
    if trial.started_at is None:
        return f"{name} ended before it started, so it has no files"
    if trial.host in _HERE:
        return f"{name} has no files: {path} was deleted, or is empty"
    return f"{name} ran on {trial.host} and none of its files are here: {path} was deleted, or is empty"
