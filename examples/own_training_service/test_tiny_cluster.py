"""Runs NNI's own contract of training services against this one, by `pytest test_tiny_cluster.py`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nni_manager.testing.job_place import JobPlace
from nni_manager.testing.reuse_mode import ReuseModeContract
from nni_manager.testing.same_id import EXPERIMENT_ID, MakePlatform, SameIdContract
from nni_manager.testing.training_service import TrainingServiceContract
from nni_manager.training.jobs.names import storage_folder
from tiny_cluster_platform import TinyCluster


@pytest.fixture
def make_platform(tmp_path: Path) -> MakePlatform:
    """Makes the platform of an experiment with a folder here."""
    cluster = tmp_path / "cluster"
    cluster.mkdir()
    return lambda folder: TinyCluster(cluster, EXPERIMENT_ID, storage_folder(EXPERIMENT_ID, folder))


@pytest.fixture
def make_place(tmp_path: Path, make_platform: MakePlatform) -> Callable[..., JobPlace]:
    """Makes the place where a contract runs; jobs of the platform have to run on this machine."""

    def make(**rules: Any) -> JobPlace:
        return JobPlace(tmp_path, lambda: make_platform(tmp_path), **rules)

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


class TestTinyClusterWithOneIdTwice(SameIdContract):
    """Experiments that have the same id."""
