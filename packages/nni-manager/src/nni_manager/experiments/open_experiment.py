"""The experiment of a manager with everything it runs on: how it is made, started and closed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from nni_config import AlgorithmConfig, ExperimentConfig, effective_optimize_mode

from nni_manager.engine.effects import SaveExperiment
from nni_manager.engine.events import ConfigChanged, StopRequested, TunerProcessed
from nni_manager.engine.records import EndReason, ExperimentOrigin, ExperimentRecord
from nni_manager.engine.statuses import Actor, ExperimentStatus
from nni_manager.experiments import errors
from nni_manager.experiments.algorithm_settings import algorithm_settings
from nni_manager.experiments.code_directory import code_directory_of, in_code_directory
from nni_manager.experiments.folder import ExperimentFolder, make_folder
from nni_manager.experiments.limits_from_config import limits_from_config
from nni_manager.experiments.origin_keeper import OriginKeeper
from nni_manager.experiments.parts import Parts
from nni_manager.experiments.reading import ExperimentReader
from nni_manager.experiments.runner import ExperimentRunner
from nni_manager.experiments.views import ExperimentView
from nni_manager.origin.seed import tuner_seed
from nni_manager.origin.snapshot import SnapshotError, take_snapshot
from nni_manager.storage.interface import Storage, StorageError
from nni_manager.training.interface import TrainingService, TrainingServiceError
from nni_manager.tuning.interface import Algorithm, AlgorithmError

_LOG = logging.getLogger(__name__)


class OpenExperiment:
    """An experiment whose record is open.

    Attributes:
        config: Its configuration.
        runner: Drives it.
        reader: Reads it.
    """

    def __init__(
        self,
        record: ExperimentRecord,
        config: ExperimentConfig,
        folder: ExperimentFolder,
        storage: Storage,
        parts: Parts,
    ) -> None:
        """Opens an experiment that is stored and was not started."""
        self.config = config
        self.runner = ExperimentRunner(
            record, limits_from_config(config), storage, folder, has_assessor=config.assessor is not None
        )
        self.reader = ExperimentReader(storage, str(folder.path), self._shown, self._output_directory)
        self._folder = folder
        self._storage = storage
        self._parts = parts
        self._training: TrainingService | None = None
        self._tuner: Algorithm | None = None
        self._assessor: Algorithm | None = None
        self._origin_keeper: OriginKeeper | None = None

    async def start(self) -> None:
        """Gets the parts ready and starts the experiment.

        Raises:
            InvalidConfigError: An algorithm cannot be made, the place cannot run trials, or the code cannot
                be copied. The experiment is ERROR then.
        """
        emit = self.runner.queue.put
        experiment_id = self.runner.record.experiment_id
        try:
            config = await self._with_snapshot() if self.config.snapshot_code else self.config
            keeper = self._origin_keeper = OriginKeeper(
                code_directory_of(config),
                code_directory_of(self.config),
                self._folder.path.parent,
                self.runner.record.origin.seed,
                self.runner.settle,
                watches=not config.snapshot_code,
            )
            keeper.begin()
            training = self._training = self._parts.make_training_service(
                config, experiment_id, self._folder.path, emit
            )
            tuner = self._tuner = self._make_algorithm("tuner", self.config.tuner)
            starting: list[Coroutine[Any, Any, None]] = [training.start(), tuner.start()]
            if self.config.assessor is not None:
                self._assessor = self._make_algorithm("assessor", self.config.assessor)
                starting.append(self._assessor.start())
            await asyncio.gather(*starting)
        except (AlgorithmError, SnapshotError, TrainingServiceError) as error:
            await self._note_failed_start(str(error))
            raise errors.InvalidConfigError(str(error)) from error
        await self.runner.start(
            training,
            tuner,
            self._assessor,
            lambda trial_id: self._parts.trial_environment(experiment_id, trial_id),
            keeper.trial_submitted,
        )
        keeper.record()

    async def change_config(self, config: ExperimentConfig, *, search_space_changed: bool) -> None:
        """Runs on with another configuration.

        Raises:
            AlgorithmRefusedError: The tuner cannot change its search space; nothing is changed then.
        """
        if self._tuner is None:
            await self.runner.save(replace(self.runner.record, config=config.to_dict()))
        else:
            if search_space_changed:
                await self._change_search_space(self._tuner, config.search_space)
            await self.runner.settle(ConfigChanged(config.to_dict(), limits_from_config(config), time.time()))
        self.config = config

    async def end(self, reason: StopRequested) -> ExperimentView:
        """Stops the trials and the algorithms and returns the experiment as it is for good.

        Reading goes on until `close`.
        """
        if self.runner.is_running:
            await self.runner.settle(reason)
            await self.runner.wait_until_ended()
        await self._close_parts()
        await self.runner.close()
        return await self.reader.experiment()

    async def close(self) -> None:
        """Closes the record."""
        await asyncio.to_thread(self.reader.close)
        await asyncio.to_thread(self._storage.close)

    async def _with_snapshot(self) -> ExperimentConfig:
        """Copies the code and returns the configuration whose trials run in the copy."""
        copy = self._folder.code_directory
        code = code_directory_of(self.config)
        await asyncio.to_thread(take_snapshot, code, self._folder.path.parent, copy)
        return in_code_directory(self.config, copy.absolute())

    def _make_algorithm(self, kind: str, algorithm: AlgorithmConfig | None) -> Algorithm:
        if algorithm is None:
            raise AlgorithmError(f"{kind}: must be set")
        record = self.runner.record
        settings = algorithm_settings(
            kind,
            algorithm,
            self.config,
            record.optimize_mode,
            record.experiment_id,
            record.origin.seed,
            self._folder,
        )
        return self._parts.make_algorithm(settings, self.runner.queue.put)

    async def _change_search_space(self, tuner: Algorithm, search_space: object) -> None:
        number = self.runner.reserve_call_number()
        try:
            await tuner.change_search_space(number, search_space)
        except AlgorithmError as error:
            raise errors.AlgorithmRefusedError(str(error)) from error
        finally:
            self.runner.queue.put(TunerProcessed(number, time.time()))

    async def _note_failed_start(self, message: str) -> None:
        await self._close_parts()
        failed = replace(
            self.runner.record,
            status=ExperimentStatus.ERROR,
            ended_at=time.time(),
            end_reason=EndReason(Actor.MANAGER, f"the experiment could not start: {message}"),
            errors=(message,),
        )
        await self.runner.save(failed)

    async def _close_parts(self) -> None:
        parts = [part for part in (self._tuner, self._assessor, self._training) if part is not None]
        results = await asyncio.gather(*(part.close() for part in parts), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                _LOG.error("a part of the experiment did not close", exc_info=result)
        if self._origin_keeper is not None:
            await self._origin_keeper.close()

    def _shown(self) -> tuple[ExperimentRecord, int]:
        """Returns the experiment as last stored, with what keeps it from being stored now."""
        record, revision = self.runner.committed
        trouble = self.runner.trouble
        return (replace(record, errors=(*record.errors, trouble)) if trouble else record), revision

    def _output_directory(self, trial_id: str) -> str:
        if self._training is not None:
            return self._training.output_directory(trial_id)
        return str(self._folder.trials_directory / trial_id)


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
        origin=ExperimentOrigin(seed=tuner_seed(config.tuner)),
    )
    try:
        storage = parts.open_storage(folder.database)
        storage.commit([SaveExperiment(record)])
    except StorageError as error:
        raise errors.StorageFailedError(str(error)) from error
    return OpenExperiment(record, config, folder, storage, parts)
