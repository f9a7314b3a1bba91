"""The experiment of a manager with everything it runs on: how it starts, goes on, changes and ends."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace

from nni_config import ExperimentConfig

from nni_manager.engine.engine import Engine
from nni_manager.engine.events import ConfigChanged, StopRequested, TunerProcessed
from nni_manager.engine.records import EndReason, ExperimentRecord
from nni_manager.engine.statuses import Actor, ExperimentStatus
from nni_manager.experiments import errors
from nni_manager.experiments.arranged_notes import Outline
from nni_manager.experiments.code_directory import code_copies, code_directory_of
from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.experiments.limits_from_config import limits_from_config
from nni_manager.experiments.parts import Parts
from nni_manager.experiments.reading import OpenRecordReader
from nni_manager.experiments.resumed_config import resumed_config
from nni_manager.experiments.runner import ExperimentRunner
from nni_manager.experiments.running_parts import RunningParts
from nni_manager.experiments.views import ExperimentView
from nni_manager.storage.interface import Storage, StorageError
from nni_manager.storage.restoring import restored_experiment
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
        """Opens an experiment that is stored; nothing of it runs here yet."""
        self.config = config
        self.runner = ExperimentRunner(record, storage, folder)
        self._folder = folder
        self._storage = storage
        self._running = RunningParts(folder, storage, parts, self.runner)
        self.reader = OpenRecordReader(storage, str(folder.path), self._shown, self._running.output_directory)

    async def start(self) -> None:
        """Gets the parts ready and starts the experiment.

        Raises:
            InvalidConfigError: An algorithm cannot be made, the place cannot run trials, or the code cannot
                be copied. The experiment is ERROR then.
        """
        try:
            performer = await self._running.open(self.config)
        except errors.InvalidConfigError as error:
            await self._note_failed_start(str(error))
            raise
        engine = Engine(
            self.runner.record,
            limits_from_config(self.config),
            has_assessor=self.config.assessor is not None,
            tuner_hears_results=self._running.tuner_hears_results,
        )
        await self.runner.start(engine, engine.start(time.time()), performer)
        self._running.record_origin()

    async def resume(self, given: ExperimentConfig | None) -> None:
        """Goes on with an experiment that an earlier manager left, in whatever state that was.

        Args:
            given: The configuration to go on with, secrets included; None for the recorded one.

        Raises:
            InvalidConfigError: The configuration is not valid or changes what cannot change, or what
                `start` raises it for. The record stays as it was, and another resume may follow.
            StorageFailedError: The record cannot be read.
        """
        config = await asyncio.to_thread(self._resumed_config, given)
        if self.runner.record.status is ExperimentStatus.INITIALIZED:
            await self.runner.save(replace(self.runner.record, config=config.to_dict()))
            self.config = config
            await self.start()
            return
        try:
            await self._go_on(config)
        except BaseException as error:
            await self._running.close()
            self.runner.queue.drop_all()
            if isinstance(error, StorageError):
                raise errors.StorageFailedError(str(error)) from error
            raise
        self._running.record_origin()

    async def _go_on(self, config: ExperimentConfig) -> None:
        outline = Outline()
        restored = await asyncio.to_thread(restored_experiment, self._storage, outline.take)
        new_code = code_directory_of(config) != code_directory_of(self.config)
        performer = await self._running.open(config, new_code=new_code, outline=outline)
        engine = Engine.restore(
            restored,
            limits_from_config(config),
            has_assessor=config.assessor is not None,
            tuner_hears_results=self._running.tuner_hears_results,
            initial_parameters=config.initial_parameters or (),
        )
        await self.runner.start(engine, engine.resume(time.time(), config.to_dict()), performer)
        self.config = config

    async def change_config(self, config: ExperimentConfig, *, search_space_changed: bool) -> None:
        """Runs on with another configuration.

        Raises:
            AlgorithmRefusedError: The tuner cannot change its search space; nothing is changed then.
        """
        tuner = self._running.tuner
        if tuner is None:
            await self.runner.save(replace(self.runner.record, config=config.to_dict()))
        else:
            if search_space_changed:
                await self._change_search_space(tuner, config.search_space)
            await self.runner.settle(ConfigChanged(config.to_dict(), limits_from_config(config), time.time()))
        self.config = config

    async def end(self, reason: StopRequested) -> ExperimentView:
        """Stops the trials and the algorithms and returns the experiment as it is for good.

        Reading goes on until `close`.
        """
        if self.runner.is_running:
            await self.runner.settle(reason)
            await self.runner.wait_until_ended()
        await self._running.close()
        await self.runner.close()
        return await self.reader.experiment()

    async def close(self) -> None:
        """Closes the record. What cannot be folded into its one file, on a full disk, stays beside it."""
        await asyncio.to_thread(self.reader.close)
        try:
            await asyncio.to_thread(self._storage.close)
        except StorageError as error:
            _LOG.warning("the record is closed and whole, but not one file: %s", error)

    def _resumed_config(self, given: ExperimentConfig | None) -> ExperimentConfig:
        copy, _ = code_copies(self._folder.code_directory)
        return resumed_config(self.config, given, self.runner.record.experiment_id, copy)

    async def _change_search_space(self, tuner: Algorithm, search_space: object) -> None:
        number = self.runner.reserve_call_number()
        try:
            await tuner.change_search_space(number, search_space)
        except AlgorithmError as error:
            raise errors.AlgorithmRefusedError(str(error)) from error
        finally:
            self.runner.queue.put(TunerProcessed(number, time.time()))

    async def _note_failed_start(self, message: str) -> None:
        failed = replace(
            self.runner.record,
            status=ExperimentStatus.ERROR,
            ended_at=time.time(),
            end_reason=EndReason(Actor.MANAGER, f"the experiment could not start: {message}"),
            errors=(message,),
        )
        await self.runner.save(failed)

    def _shown(self, _storage: Storage) -> tuple[ExperimentRecord, int]:
        """Returns the experiment as last stored, with what keeps it from being stored now."""
        record, revision = self.runner.committed
        trouble = self.runner.trouble
        return (replace(record, errors=(*record.errors, trouble)) if trouble else record), revision
