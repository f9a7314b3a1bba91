"""How the application service gets the parts that do the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nni_config import ExperimentConfig

from nni_manager.storage.interface import Storage
from nni_manager.training.interface import ServiceEmit, TrainingService
from nni_manager.tuning.interface import Algorithm, AlgorithmSettings
from nni_manager.tuning.interface import Emit as EmitAlgorithm


@dataclass(frozen=True, slots=True)
class Parts:
    """Makes the parts of an experiment.

    Attributes:
        open_storage: Opens the record in a file, which is made when it is not there.
        make_training_service: Makes the place where trials run, from the canonical configuration, the
            experiment's id and its folder.
        make_algorithm: Makes a tuner or an assessor.
        trial_environment: Returns what is added to a trial's environment, from the ids of experiment and
            trial.
    """

    open_storage: Callable[[Path], Storage]
    make_training_service: Callable[[ExperimentConfig, str, Path, ServiceEmit], TrainingService]
    make_algorithm: Callable[[AlgorithmSettings, EmitAlgorithm], Algorithm]
    trial_environment: Callable[[str, str], dict[str, str]]
