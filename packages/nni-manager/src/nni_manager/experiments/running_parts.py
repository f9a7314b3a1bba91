"""What an experiment runs on: a place for its trials, its algorithms, and who looks after its code."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from nni_config import AlgorithmConfig, ExperimentConfig

from nni_manager.experiments import crash_points, errors
from nni_manager.experiments.algorithm_history import assessor_history, tuner_history
from nni_manager.experiments.algorithm_keeper import KeptAlgorithm
from nni_manager.experiments.algorithm_settings import algorithm_settings
from nni_manager.experiments.arranged_notes import Outline
from nni_manager.experiments.checkpoint_keeper import CheckpointKeeper
from nni_manager.experiments.checkpoint_settings import retention_of
from nni_manager.experiments.code_directory import code_copies, code_directory_of, in_code_directory
from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.experiments.origin_keeper import OriginKeeper
from nni_manager.experiments.parts import Parts
from nni_manager.experiments.performer import Performer
from nni_manager.experiments.runner import ExperimentRunner
from nni_manager.origin.snapshot import SnapshotError, take_snapshot
from nni_manager.storage.interface import Storage
from nni_manager.training.interface import TrainingService, TrainingServiceError
from nni_manager.tuning.interface import Algorithm, AlgorithmError, History

_LOG = logging.getLogger(__name__)


class RunningParts:
    """The parts of an experiment, from their making to their end."""

    def __init__(
        self, folder: ExperimentFolder, storage: Storage, parts: Parts, runner: ExperimentRunner
    ) -> None:
        """Makes nothing yet.

        Args:
            folder: The experiment's folder.
            storage: Its record.
            parts: How it gets its parts.
            runner: Is told what the parts say.
        """
        self._folder = folder
        self._storage = storage
        self._parts = parts
        self._runner = runner
        self._training: TrainingService | None = None
        self._tuner: KeptAlgorithm | None = None
        self._assessor: KeptAlgorithm | None = None
        self._keeper: OriginKeeper | None = None
        self._checkpoints: CheckpointKeeper | None = None

    @property
    def tuner(self) -> Algorithm | None:
        """Proposes parameters; None before `open`."""
        return self._tuner

    @property
    def tuner_hears_results(self) -> bool:
        """Whether the tuner is to be told intermediate results; known after `open`."""
        return self._tuner is not None and self._tuner.hears_intermediate_results

    async def open(
        self, config: ExperimentConfig, *, new_code: bool = False, outline: Outline | None = None
    ) -> Performer:
        """Makes the parts and starts them, the algorithms with what the record has of their history.

        Args:
            config: What the experiment runs under. A tuner that is made anew is told its search space last,
                if the record has another.
            new_code: Whether trials are to run in another copy of the code than before, if in one at all.
            outline: What is known of the tuner's history, None for nothing.

        Raises:
            InvalidConfigError: An algorithm cannot be made, the place cannot run trials, or the code cannot
                be copied. Everything is closed again then.
        """
        try:
            return await self._open(config, new_code, outline)
        except (AlgorithmError, SnapshotError, TrainingServiceError) as error:
            await self.close()
            raise errors.InvalidConfigError(str(error)) from error

    def record_origin(self) -> None:
        """Finds out what the experiment is made of; comes after the start, which it would slow down."""
        if self._keeper is not None:
            self._keeper.record()

    def output_directory(self, trial_id: str) -> str:
        """Returns the folder of a trial's output here; that of another machine is fetched to it."""
        return str(self._folder.trials_directory / trial_id)

    async def close(self) -> None:
        """Ends the parts. Running trials go on."""
        if self._checkpoints is not None:  # before a storage that its trials share is unmounted
            await self._checkpoints.close()
        parts = [part for part in (self._tuner, self._assessor, self._training) if part is not None]
        results = await asyncio.gather(*(part.close() for part in parts), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                _LOG.error("a part of the experiment did not close", exc_info=result)
        if self._keeper is not None:
            await self._keeper.close()

    async def _open(self, config: ExperimentConfig, new_code: bool, outline: Outline | None) -> Performer:
        record = self._runner.record
        running = await self._with_copy(config, new_code) if config.snapshot_code else config
        keeper = self._keeper = OriginKeeper(
            code_directory_of(running),
            code_directory_of(config),
            self._folder.path,
            record.origin,
            self._runner.settle,
            watches=not config.snapshot_code,
        )
        keeper.begin()
        training = self._training = self._parts.make_training_service(
            running, record.experiment_id, self._folder.path, self._runner.queue.put
        )
        tuner = self._tuner = self._algorithm("tuner", config.tuner, config)
        assessor = None
        if config.assessor is not None:
            assessor = self._assessor = self._algorithm("assessor", config.assessor, config)
        read_tuner_history = partial(tuner_history, search_space=config.search_space, outline=outline)
        crash_points.before("rebuild")
        await asyncio.gather(
            training.start(),
            self._start("tuner", tuner, read_tuner_history),
            *([self._start("assessor", assessor, assessor_history)] if assessor is not None else []),
        )
        crash_points.after("rebuild")
        retention = retention_of(config, record, self._folder)
        if retention is not None:
            self._checkpoints = CheckpointKeeper(
                retention, self._storage, self._runner.next_change, training.output_directory
            )
            self._checkpoints.begin()
        environment = partial(self._parts.trial_environment, record.experiment_id)
        return Performer(training, tuner, assessor, environment, keeper.trial_submitted)

    async def _with_copy(self, config: ExperimentConfig, new_code: bool) -> ExperimentConfig:
        """Copies the code unless that was done; returns the configuration whose trials run in the copy."""
        copy, next_copy = code_copies(self._folder.code_directory)
        if copy is None or new_code:
            copy, code = next_copy, code_directory_of(config)
            await asyncio.to_thread(take_snapshot, code, self._folder.path.parent, copy)
        return in_code_directory(config, copy.absolute())

    async def _start(
        self, kind: str, algorithm: KeptAlgorithm, read_history: Callable[[Storage], History]
    ) -> None:
        rebuilt = await algorithm.start(await asyncio.to_thread(read_history, self._storage))
        if rebuilt is not None:
            difference = f": {rebuilt.difference}" if rebuilt.difference else ""
            _LOG.info("the %s was made anew, %s%s", kind, rebuilt.way.value, difference)

    def _algorithm(
        self, kind: str, algorithm: AlgorithmConfig | None, config: ExperimentConfig
    ) -> KeptAlgorithm:
        if algorithm is None:
            raise AlgorithmError(f"{kind}: must be set")
        record = self._runner.record
        settings = algorithm_settings(
            kind,
            algorithm,
            config,
            record.optimize_mode,
            record.experiment_id,
            record.origin.seed,
            self._folder,
        )
        read_history = tuner_history if kind == "tuner" else assessor_history
        make = partial(self._parts.make_algorithm, settings)
        return KeptAlgorithm(make, partial(self._history, read_history), self._runner.queue.put, kind)

    async def _history(self, read_history: Callable[[Storage], History]) -> History:
        """Returns the history of an algorithm that is made anew while the experiment runs."""
        await self._runner.catch_up()
        return await asyncio.to_thread(read_history, self._storage)
