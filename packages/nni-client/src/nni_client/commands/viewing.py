"""nnictl view."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from nni_config.experiment_folders import FolderKind, FolderSummary

from nni_client.commands.selection import find
from nni_client.ending_managers import State, state_of
from nni_client.experiment import Experiment


def view_experiment(experiment_id: str, port: int, directory: Path | None) -> None:
    """Shows the page of an experiment that has ended, until Ctrl-C or the end of this process.

    Of an experiment that NNI recorded, which the page cannot show, a summary is printed.

    Args:
        experiment_id: The experiment's id or its first letters.
        port: The page's port; 0 picks a free one.
        directory: The folder that holds the experiment's folder; None for all that were ever used.

    Raises:
        RuntimeError: The experiment runs, there is none of this id, or it cannot be shown.
    """
    folder = find(experiment_id, directory)
    if folder.kind is FolderKind.OLD:
        _print_old(folder)
        return
    if folder.manager is not None and state_of(folder.manager) is State.RUNNING:
        raise RuntimeError(
            f"Experiment {folder.experiment_id} is running, on port {folder.manager.port}; "
            f"see: nnictl webui url {folder.experiment_id}"
        )
    Experiment(None, id=folder.experiment_id).view(port, experiments_directory=folder.directory)


def _print_old(folder: FolderSummary) -> None:
    from nni_client.old_records import read_old_experiment

    old = read_old_experiment(folder.path)
    counts = Counter(trial.status for trial in old.trials)
    statuses = ", ".join(f"{count} {status}" for status, count in counts.most_common())
    print(f"Experiment {old.id}{f' ({old.name})' if old.name else ''}, recorded by Microsoft's NNI")
    print(f"  trials  {len(old.trials)}{f': {statuses}' if statuses else ''}")
    print(f"  files   {old.path}")
    print("  The page does not show records of NNI. What was tried and what came of it:")
    print(f"    nnictl trial ls {old.id}")
    print(f"    nnictl experiment export {old.id} --type csv --filename FILE")
    print(f"    nnictl experiment import NEW_ID --from {old.id}")
