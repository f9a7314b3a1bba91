"""Which algorithms an experiment needs, from its configuration."""

from __future__ import annotations

from pathlib import Path

from nni_config import AlgorithmConfig, ExperimentConfig
from nni_config.registered_algorithms import find_registered

from nni_manager.experiments.folder import ExperimentFolder
from nni_manager.tuning.interface import AlgorithmSettings


def algorithm_settings(
    kind: str,
    algorithm: AlgorithmConfig,
    config: ExperimentConfig,
    optimize_mode: str,
    experiment_id: str,
    seed: int | None,
    folder: ExperimentFolder,
) -> AlgorithmSettings:
    """Returns the settings of the tuner or the assessor of a valid configuration.

    Args:
        kind: "tuner" or "assessor".
        algorithm: Its part of the configuration.
        config: The whole configuration.
        optimize_mode: "maximize" or "minimize".
        experiment_id: The experiment.
        seed: The seed of the tuner's random numbers, None when it has none.
        folder: The experiment's folder.
    """
    # GPUs are for the trials: an algorithm sees those it was given, and no others.
    gpus = (config.tuner_gpu_indices or []) if kind == "tuner" else []
    environment = {"NNI_EXP_ID": experiment_id, "CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus))}
    class_name = getattr(algorithm, "class_name", None)
    code_directory = getattr(algorithm, "code_directory", None)
    class_args = algorithm.class_args
    registered = find_registered(algorithm.name, kind) if algorithm.is_own() and algorithm.name else None
    if registered is not None:  # which is from here on a class of the user's like any other
        class_name = registered.class_name
        class_args = {**(registered.class_args or {}), **(class_args or {})}
    instance_file = algorithm.instance_file
    if kind == "tuner" and seed is not None:
        class_args = {**(class_args or {}), "seed": seed}
    return AlgorithmSettings(
        kind=kind,
        name=None if class_name else algorithm.name,
        class_name=class_name,
        code_directory=None if code_directory is None else str(code_directory),
        class_args=class_args,
        search_space=config.search_space,
        optimize_mode=optimize_mode,
        log_directory=folder.log_directory,
        checkpoint_directory=folder.checkpoint_directory,
        environment=environment,
        log_level=config.log_level or ("debug" if config.debug else "info"),
        instance_file=None if instance_file is None else folder.classes_directory / instance_file,
        endpoint=algorithm.endpoint,
        token=algorithm.token,
        ca_file=None if algorithm.ca_file is None else Path(algorithm.ca_file),
    )
