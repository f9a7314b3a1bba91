"""The record of an experiment: made for a new one, opened again for an old one."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from nni_config import ExperimentConfig, InvalidConfigError, effective_optimize_mode

from nni_manager.engine.effects import SaveExperiment
from nni_manager.engine.records import ExperimentOrigin, ExperimentRecord
from nni_manager.engine.statuses import ExperimentStatus
from nni_manager.experiments import errors
from nni_manager.experiments.creating import algorithm_notices
from nni_manager.experiments.folder import ExperimentFolder, check_owner, make_folder
from nni_manager.experiments.open_experiment import OpenExperiment
from nni_manager.experiments.parts import Parts
from nni_manager.origin.seed import tuner_seed
from nni_manager.storage.interface import NewerRecordError, StorageError

_LOG = logging.getLogger(__name__)


def record_experiment(
    config: ExperimentConfig, experiment_id: str, request_id: str, experiments_directory: Path, parts: Parts
) -> OpenExperiment:
    """Makes the folder and the record of a new experiment.

    Args:
        config: Its configuration, checked and canonical.
        experiment_id: Its id.
        request_id: The request that creates it.
        experiments_directory: Where its folder goes.
        parts: How it gets its parts.

    Raises:
        ExperimentAlreadyExistsError: There is an experiment of this id.
        InvalidArgumentError: Its folder cannot be made.
        StorageFailedError: Its record cannot be written.
    """
    folder = ExperimentFolder(experiments_directory / experiment_id)
    make_folder(folder)
    record = ExperimentRecord(
        experiment_id=experiment_id,
        status=ExperimentStatus.INITIALIZED,
        config=config.to_dict(),
        optimize_mode=effective_optimize_mode(config),
        created_at=time.time(),
        create_request_id=request_id,
        warnings=algorithm_notices(config),
        origin=ExperimentOrigin(seed=tuner_seed(config.tuner)),
    )
    try:
        storage = parts.open_storage(folder.database)
        storage.commit([SaveExperiment(record)])
    except StorageError as error:
        raise errors.StorageFailedError(str(error)) from error
    for notice in record.warnings:
        _LOG.warning("%s", notice)
    return OpenExperiment(record, config, folder, storage, parts)


def reopen_experiment(experiments_directory: Path, experiment_id: str, parts: Parts) -> OpenExperiment:
    """Opens the record of an experiment that an earlier manager ran; nothing in it is changed.

    Args:
        experiments_directory: Where its folder is.
        experiment_id: The experiment.
        parts: How it gets its parts.

    Raises:
        ExperimentNotFoundError: There is no such experiment.
        StorageFailedError: Its record cannot be read; the text says what can be done.
    """
    folder = ExperimentFolder(experiments_directory / experiment_id)
    if not folder.exists():
        raise errors.ExperimentNotFoundError(
            f"there is no experiment {experiment_id!r} in {folder.path.parent}"
        )
    try:
        if folder.database.stat().st_size == 0:  # of which SQLite would make a new record
            raise StorageError(f"{folder.database} is empty")
        storage = parts.open_storage(folder.database)
    except (OSError, StorageError) as error:
        raise errors.StorageFailedError(_unreadable(folder, error)) from error
    try:
        record = storage.experiment()
        if record is None:
            raise StorageError(f"{folder.database} holds no experiment")
        check_owner(folder, record.experiment_id)
        return OpenExperiment(record, ExperimentConfig(**record.config), folder, storage, parts)
    except StorageError as error:
        storage.close()
        raise errors.StorageFailedError(_unreadable(folder, error)) from error
    except InvalidConfigError as error:
        storage.close()
        text = f"the configuration in {folder.database} is not one of this version: {error}"
        raise errors.StorageFailedError(text) from error
    except BaseException:
        storage.close()
        raise


def _unreadable(folder: ExperimentFolder, error: Exception) -> str:
    if isinstance(error, NewerRecordError):
        return f"the record cannot be used: {error}. The folder was left as it is"
    return (
        f"the record cannot be used: {error}. The folder was left as it is: what the trials wrote is in "
        f"{folder.trials_directory}, and what a damaged record still holds can be had from a copy of it with "
        "the sqlite3 program's .recover"
    )
