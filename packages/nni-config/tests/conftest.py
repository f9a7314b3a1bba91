"""What several tests of this package use."""

from pathlib import Path

import pytest
from nni_config import ExperimentConfig


@pytest.fixture
def code_directory(tmp_path: Path) -> Path:
    directory = tmp_path / "code"
    directory.mkdir()
    return directory


@pytest.fixture
def valid_config(code_directory: Path) -> ExperimentConfig:
    """A small configuration for this machine that has everything it needs."""
    config = ExperimentConfig("local")
    config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
    config.trial_command = "python3 trial.py"
    config.trial_code_directory = code_directory
    config.trial_concurrency = 2
    config.tuner.name = "Random"
    return config
