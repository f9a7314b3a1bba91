"""Runs NNI's own contract of training services against this one, by `pytest test_tiny_cluster.py`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nni_manager.testing.job_place import JobPlace
from nni_manager.testing.reuse_mode import ReuseModeContract
from nni_manager.testing.training_service import TrainingServiceContract
from tiny_cluster_platform import TinyCluster


@pytest.fixture
def make_place(tmp_path: Path) -> Callable[..., JobPlace]:
    """Makes the place where a contract runs; jobs of the platform have to run on this machine."""

    def make(**rules: Any) -> JobPlace:
        (tmp_path / "cluster").mkdir()
        return JobPlace(tmp_path, lambda: TinyCluster(tmp_path / "cluster", "exp00001"), **rules)

    return make


class TestTinyCluster(TrainingServiceContract):
    """A job for each trial."""

    @pytest.fixture
    def place(self, make_place: Callable[..., JobPlace]) -> JobPlace:
        """Returns the place."""
        return make_place()


class TestTinyClusterThatKeepsJobs(ReuseModeContract):
    """Jobs that take trial after trial."""

    @pytest.fixture
    def place(self, make_place: Callable[..., JobPlace]) -> JobPlace:
        """Returns the place."""
        return make_place(reuse_mode=True)
