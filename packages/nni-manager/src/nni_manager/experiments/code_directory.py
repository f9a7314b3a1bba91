"""The folder that an experiment's trials run in."""

from __future__ import annotations

import copy
from pathlib import Path

from nni_config import ExperimentConfig


def code_directory_of(config: ExperimentConfig) -> Path:
    """Returns the code folder that a configuration names."""
    services = config.training_services()
    own = services[0].trial_code_directory if services else None
    return Path(own or config.trial_code_directory).absolute()


def in_code_directory(config: ExperimentConfig, directory: Path) -> ExperimentConfig:
    """Returns a configuration whose trials run in another folder."""
    moved = copy.deepcopy(config)
    moved.trial_code_directory = str(directory)
    for service in moved.training_services():
        service.trial_code_directory = str(directory)
    return moved
