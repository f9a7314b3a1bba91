"""Finds the folder of an experiment, and says what keeps it from being used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nni_config import ExperimentConfig
from nni_config.experiment_folders import (
    FolderKind,
    FolderSummary,
    experiments_directories,
    find_experiment,
)
from nni_config.local_state import ManagerRecord
from nni_config.paths import absolute_path

from nni_client.ending_managers import State, state_of


def places(config: ExperimentConfig | None, directory: str | Path | None) -> list[Path]:
    """Returns where to look for an experiment, the preferred folder first.

    Args:
        config: Its configuration, which may name a folder of experiments.
        directory: The only folder of experiments to look in, when the user named one.
    """
    if directory is not None:
        path = Path(directory).expanduser().absolute()
        # NNI's argument may be the experiment's own folder.
        return [path.parent if (path / "db").is_dir() else path]
    named = None if config is None else config.experiment_working_directory
    if config is None or named is None:
        return experiments_directories()
    return experiments_directories([Path(absolute_path(str(named), config._base_path))])


def recorded(
    experiment_id: str, config: ExperimentConfig | None, directory: str | Path | None
) -> FolderSummary | None:
    """Returns the experiment of an id that has a record; arguments as of `places`."""
    found = find_experiment(experiment_id, places(config, directory))
    return found if found is not None and found.has_record else None


def to_resume(
    experiment_id: str, config: ExperimentConfig | None, directory: str | Path | None
) -> FolderSummary:
    """Returns the experiment that is to be gone on with; arguments as of `places`.

    Raises:
        RuntimeError: There is none, it runs, or it was recorded by NNI; the text says what to do.
    """
    found = _existing(experiment_id, config, directory, "resumed")
    if found.kind is FolderKind.OLD:
        raise RuntimeError(
            f"Experiment {experiment_id} in {found.directory} was recorded by Microsoft's NNI and cannot be "
            "resumed. Start a new experiment and give it these results: "
            f"nnictl experiment import NEW_ID --from {experiment_id}"
        )
    return not_running(found)


def to_view(
    experiment_id: str, config: ExperimentConfig | None, directory: str | Path | None
) -> FolderSummary:
    """Returns the experiment that is to be shown; arguments as of `places`.

    Raises:
        RuntimeError: There is none, it runs, or it was recorded by NNI; the text says what to do.
    """
    found = _existing(experiment_id, config, directory, "viewed")
    refuse_old(found)
    return not_running(found)


def refuse_old(folder: FolderSummary) -> None:
    """Refuses an experiment that NNI recorded.

    Raises:
        RuntimeError: It is one; the text says how to read it.
    """
    if folder.kind is FolderKind.OLD:
        raise RuntimeError(
            f"Experiment {folder.experiment_id} in {folder.directory} was recorded by Microsoft's NNI; read "
            f"it with: nnictl view {folder.experiment_id}, nnictl trial ls {folder.experiment_id}, or "
            f"nnictl experiment export {folder.experiment_id}"
        )


def runs_elsewhere(manager: ManagerRecord) -> str:
    """Returns how to get at an experiment that another process started."""
    return (
        f"Experiment {manager.experiment_id} is running, on port {manager.port} (process {manager.pid}). "
        f"Experiment.connect({manager.port}) attaches to it; nnictl stop {manager.experiment_id} ends it."
    )


def _existing(
    experiment_id: str, config: ExperimentConfig | None, directory: str | Path | None, done: str
) -> FolderSummary:
    found = recorded(experiment_id, config, directory)
    if found is None:
        raise RuntimeError(
            f"Experiment {experiment_id} does not exist thus cannot be {done}. "
            f"{looked_in(places(config, directory))}"
        )
    return found


def not_running(folder: FolderSummary) -> FolderSummary:
    """Returns an experiment that nobody runs; one whose manager is just ending is waited for.

    Raises:
        RuntimeError: It runs, or its manager takes long to end; the text says what to do.
    """
    manager = folder.manager
    if manager is None:
        return folder
    state = state_of(manager)
    if state is State.RUNNING:
        raise RuntimeError(runs_elsewhere(manager))
    if state is State.ENDING:
        raise RuntimeError(
            f"Experiment {manager.experiment_id} is still being stopped: its manager (process {manager.pid}) "
            "has its trials end. Try again when it has gone; "
            f"nnictl status {manager.experiment_id} shows how far it is."
        )
    return find_experiment(folder.experiment_id, [folder.directory]) or folder


def looked_in(directories: Sequence[Path]) -> str:
    """Returns where an experiment was looked for and not found."""
    if not directories:
        return "There is no folder of experiments yet."
    return f"Looked in: {', '.join(map(str, directories))}"
