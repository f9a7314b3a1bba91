"""Finds the folders that trials write logs for TensorBoard into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from nni_manager.experiments.errors import TrialNotFoundError
from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.experiments.reading import ExperimentReader
from nni_manager.storage.interface import Storage

_LOGS = "tensorboard"
"""The folder within a trial's NNI_OUTPUT_DIR."""


async def find_runs(reader: ExperimentReader, trial_ids: Sequence[str]) -> Mapping[str, Path]:
    """Returns the folders with logs that there are, named by the numbers and ids of their trials.

    What trials wrote on other machines is there once it was fetched, when they have ended.

    Args:
        reader: Reads the experiment.
        trial_ids: The trials; empty for all that have logs.

    Raises:
        TrialNotFoundError: There is no trial of such an id.
    """
    trials = ExperimentFolder(Path(reader.directory)).trials_directory

    def find(storage: Storage) -> dict[str, Path]:
        wanted = trial_ids or [path.name for path in trials.glob("*") if _has_logs(path)]
        found = {}
        for trial_id in wanted:
            stored = storage.trial(trial_id)
            if stored is None and trial_ids:
                raise TrialNotFoundError(f"the experiment has no trial {trial_id!r}")
            if stored is not None and _has_logs(trials / trial_id):
                found[f"{stored.record.sequence_number}-{trial_id}"] = trials / trial_id / _LOGS
        return found

    return await reader.ask(find)


def _has_logs(trial_folder: Path) -> bool:
    path = trial_folder / _LOGS
    return path.is_dir() and not path.is_symlink()
