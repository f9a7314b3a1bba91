"""The folder that an experiment's trials run in: the code itself, or a copy of it."""

from __future__ import annotations

import copy
from itertools import count
from pathlib import Path

from nni_config import ExperimentConfig
from nni_config.training_service import TrainingServiceConfig


def code_directory_of(config: ExperimentConfig, service: TrainingServiceConfig | None = None) -> Path:
    """Returns the code folder that a configuration names.

    Args:
        config: The configuration.
        service: One of its training services, None for the first one.
    """
    services = config.training_services()
    chosen = service or (services[0] if services else None)
    own = chosen.trial_code_directory if chosen is not None else None
    return Path(own or config.trial_code_directory).absolute()


def in_code_directory(config: ExperimentConfig, directory: Path) -> ExperimentConfig:
    """Returns a configuration whose trials run in another folder."""
    moved = copy.deepcopy(config)
    moved.trial_code_directory = str(directory)
    for service in moved.training_services():
        service.trial_code_directory = str(directory)
    return moved


def code_copies(first: Path) -> tuple[Path | None, Path]:
    """Returns the copy of the code that was made last, None before the first, and where the next one goes.

    Args:
        first: Where the first copy goes. The next ones, of code in another folder, have a number behind it.
    """
    latest = None
    for number in count(1):
        path = first if number == 1 else first.with_name(f"{first.name}-{number}")
        if not path.exists():
            return latest, path
        latest = path
    raise AssertionError("counting ends nowhere")
