"""Where the manager's parts are put together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from nni_manager.experiments.errors import ExperimentServiceError
from nni_manager.experiments.interface import FolderCalls
from nni_manager.experiments.many_experiments import ManyExperiments, OwnExperiment
from nni_manager.experiments.open_experiment import OpenExperiment
from nni_manager.experiments.parts import Parts
from nni_manager.experiments.recording import reopen_experiment
from nni_manager.experiments.service import ExperimentService
from nni_manager.experiments.view_service import open_view
from nni_manager.experiments.views import ExperimentView
from nni_manager.server.problems import StartProblem
from nni_manager.server.recorded_folder import full_disk_text, has_no_space
from nni_manager.server.training_services import make_training_service
from nni_manager.storage.interface import Storage
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.training.jobs.direct import DirectReports
from nni_manager.tuning.algorithm_process import AlgorithmProcess
from nni_manager.tuning.interface import AlgorithmSettings
from nni_manager.tuning.interface import Emit as AlgorithmEmit
from nni_manager.tuning.served_connection import Servers


class Application(FolderCalls, Protocol):
    """The application service, as the process that runs it needs it.

    Attributes:
        closed: Is set when the experiment has ended and the manager is to end.
    """

    closed: asyncio.Event

    async def close(self, *, by_user: bool, message: str) -> ExperimentView | None:
        """Ends the experiment, if there is one."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the application service is told about the process.

    Attributes:
        experiments_directory: Where the folders of experiments are.
        experiment_id: The experiment of this manager.
        resume: Whether to go on with a recorded experiment.
        view: Whether to show an experiment only, read-only.
        trial_environment: Returns what is added to a trial's environment, from the ids of experiment and
            trial.
        direct: Lets jobs report over the network.
    """

    experiments_directory: Path
    experiment_id: str
    resume: bool
    view: bool
    trial_environment: Callable[[str, str], dict[str, str]]
    direct: DirectReports


def make_application(surroundings: Surroundings) -> Application:
    """Returns the application service with its parts.

    Raises:
        StartProblem: The experiment cannot be served in the way that was asked for.
    """
    return ManyExperiments(
        _own_experiment(surroundings),
        surroundings.experiment_id,
        surroundings.experiments_directory,
        _open_to_read,
    )


def _own_experiment(surroundings: Surroundings) -> OwnExperiment:
    if surroundings.view:
        try:
            return open_view(surroundings.experiments_directory, surroundings.experiment_id, _open_to_read)
        except ExperimentServiceError as error:
            raise StartProblem(str(error)) from error
    parts = Parts(
        open_storage=open_sqlite_storage,
        make_training_service=partial(make_training_service, direct=surroundings.direct),
        make_algorithm=partial(_make_algorithm, Servers()),
        trial_environment=surroundings.trial_environment,
    )
    return ExperimentService(surroundings.experiments_directory, parts, _recorded(surroundings, parts))


def _make_algorithm(servers: Servers, settings: AlgorithmSettings, emit: AlgorithmEmit) -> AlgorithmProcess:
    return AlgorithmProcess(settings, emit, None if settings.endpoint is None else servers.connect)


def _recorded(surroundings: Surroundings, parts: Parts) -> OpenExperiment | None:
    if not surroundings.resume:
        return None
    path = surroundings.experiments_directory / surroundings.experiment_id
    try:
        return reopen_experiment(surroundings.experiments_directory, surroundings.experiment_id, parts)
    except ExperimentServiceError as error:
        text = full_disk_text(path) if has_no_space(path) else str(error)
        raise StartProblem(f"experiment {path.name} cannot be resumed: {text}") from error


def _open_to_read(path: Path) -> Storage:
    return open_sqlite_storage(path, read_only=True)
