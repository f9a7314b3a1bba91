"""Which checkpoints are kept, from an experiment's configuration."""

from __future__ import annotations

from pathlib import Path

from nni_config import ExperimentConfig
from nni_config.algorithms import find_algorithm

from nni_manager.engine.records import ExperimentRecord
from nni_manager.experiments.checkpoint_keeper import Retention
from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.shared_storage.configured import configured_storage
from nni_manager.shared_storage.interface import SharedFiles
from nni_manager.training.jobs.names import storage_folder


def retention_of(
    config: ExperimentConfig, record: ExperimentRecord, folder: ExperimentFolder
) -> Retention | None:
    """Returns what is kept and where it is, None where all is kept.

    Args:
        config: The canonical configuration.
        record: The experiment.
        folder: Its folder.

    Raises:
        TrainingServiceError: The experiment's mark cannot be read.
        SharedStorageError: The storage that checkpoints are put into cannot be used.
    """
    if config.keep_best_checkpoints is None and config.keep_last_checkpoints is None:
        return None
    homes = [folder.trials_directory.absolute()]
    shared = config.shared_storage
    containers: tuple[SharedFiles, ...] = ()
    if shared is not None and shared.local_mounted == "nomount":
        # Machines have the folder of the id, jobs one of their own.
        own = storage_folder(record.experiment_id, folder.path)
        containers = tuple(
            configured_storage(shared, name).files for name in sorted({record.experiment_id, own})
        )
    elif shared is not None:
        homes.append(Path(shared.local_mount_point) / "nni" / record.experiment_id / "trials")
    return Retention(
        keep_best=config.keep_best_checkpoints,
        keep_last=config.keep_last_checkpoints,
        optimize_mode=record.optimize_mode,
        homes=tuple(homes),
        containers=containers,
        population=_population(config, folder),
    )


def _population(config: ExperimentConfig, folder: ExperimentFolder) -> tuple[str, Path] | None:
    """Returns the folder of a population's checkpoints, as trials name it and as this machine does."""
    tuner, shared = config.tuner, config.shared_storage
    built_in = find_algorithm(tuner.name, "tuner") if tuner is not None and tuner.name else None
    if tuner is None or built_in is None or not built_in.shares_checkpoints:
        return None
    given = (tuner.class_args or {}).get("all_checkpoint_dir")
    if not given:
        own = folder.checkpoint_directory.absolute()
        return str(own), own
    named = Path(str(given)).expanduser().absolute()
    if shared is not None and named.is_relative_to(shared.remote_mount_point):
        return str(named), Path(shared.local_mount_point) / named.relative_to(shared.remote_mount_point)
    return str(named), named
