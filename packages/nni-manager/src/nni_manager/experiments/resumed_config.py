"""The configuration that an experiment of an earlier manager goes on with."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from nni_config import AlgorithmConfig, ExperimentConfig
from nni_config.names import short
from nni_config.secret_fields import missing_secrets

from nni_manager.experiments import errors
from nni_manager.experiments.code_directory import code_directory_of, in_code_directory
from nni_manager.experiments.creating import checked_config


def resumed_config(
    recorded: ExperimentConfig, given: ExperimentConfig | None, experiment_id: str, code_copy: Path | None
) -> ExperimentConfig:
    """Returns the configuration to go on with, checked as that of a new experiment is.

    Args:
        recorded: The one in the record, which has no secrets.
        given: The one to go on with; None for the recorded one.
        experiment_id: The experiment.
        code_copy: The copy of the code that was made last, None when there is none.

    Raises:
        InvalidConfigError: It is not valid, lacks something, or changes what cannot change.
    """
    config = copy.deepcopy(recorded if given is None else given)
    problems = [] if given is None else _changed_algorithms(recorded, config, experiment_id)
    problems += [
        f"{field.text}: it is a secret, which no record has; give it in the environment variable "
        f"{field.environment_variable} or in a configuration to go on with"
        for field in missing_secrets(config)
    ]
    code = code_directory_of(config)
    if not config.snapshot_code or code != code_directory_of(recorded):
        code_copy = None
    if code_copy is None and not code.is_dir():
        problems.append(
            f"trial_code_directory: {code} is gone, and the trials run in it; put it back, or resume with a "
            f"configuration that names its new place: nnictl resume {experiment_id} --config FILE"
        )
    if problems:
        raise errors.InvalidConfigError("\n".join(problems))
    if code_copy is None:
        return checked_config(config)
    # The code was copied at the start, so the folder that it came from need not be there any more.
    return in_code_directory(checked_config(in_code_directory(config, code_copy)), code)


def _changed_algorithms(
    recorded: ExperimentConfig, config: ExperimentConfig, experiment_id: str
) -> list[str]:
    return [
        f"{kind}.{field}: it was {short(before)} and is now {short(after)}, which cannot change: the {kind} "
        "goes on with what it knows. Leave it as it was, or give a new experiment the results of this one: "
        f"nnictl experiment import NEW_ID --from {experiment_id}"
        for kind in ("tuner", "assessor")
        for field, before, after in _differences(getattr(recorded, kind), getattr(config, kind))
    ]


def _differences(before: AlgorithmConfig | None, after: AlgorithmConfig | None) -> list[tuple[str, Any, Any]]:
    known, new = _identity(before), _identity(after)
    return [(field, known[field], new[field]) for field in known if known[field] != new[field]]


def _identity(algorithm: AlgorithmConfig | None) -> dict[str, Any]:
    """Returns what makes an algorithm the one it is. Where its code lies is no part of that."""
    name = None if algorithm is None else algorithm.name
    return {
        "name": name.lower() if isinstance(name, str) else name,
        "class_name": None if algorithm is None else algorithm.class_name,
        "class_args": (None if algorithm is None else algorithm.class_args) or {},
    }
