"""The training-service contract for trials in jobs of a platform."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from nni_manager.testing.fake_job_platform import FakeCluster, FakePlatform
from nni_manager.testing.job_place import JobPlace
from nni_manager.testing.reuse_mode import ReuseModeContract
from nni_manager.testing.same_id import EXPERIMENT_ID, MakePlatform, SameIdContract
from nni_manager.testing.training_service import TrainingServiceContract
from nni_manager.training.jobs.names import storage_folder


class InJobs:
    """Gives the place of a contract.

    Attributes:
        mounts: Whether jobs see the storage; else they send files.
        reuse_mode: Whether jobs are kept.
    """

    mounts = True
    reuse_mode = False

    @pytest.fixture
    def place(self, tmp_path: Path) -> Iterator[JobPlace]:
        cluster = FakeCluster(tmp_path / "cluster", mounts=self.mounts)
        make = partial(FakePlatform, cluster, "exp00001")
        yield JobPlace(tmp_path, make, reuse_mode=self.reuse_mode)
        cluster.end_all()


class TestJobs(InJobs, TrainingServiceContract):
    pass


class TestPoolOfJobsThatSendFiles(InJobs, ReuseModeContract):
    mounts = False
    reuse_mode = True


class TestSameId(SameIdContract):
    mounts = True

    @pytest.fixture
    def make_platform(self, tmp_path: Path) -> Iterator[MakePlatform]:
        cluster = FakeCluster(tmp_path / "cluster", mounts=self.mounts)
        yield lambda folder: FakePlatform(cluster, EXPERIMENT_ID, storage_folder(EXPERIMENT_ID, folder))
        cluster.end_all()


@pytest.mark.slow
class TestSameIdOfJobsThatSendFiles(TestSameId):
    mounts = False


@pytest.mark.slow
class TestJobsThatSendFiles(InJobs, TrainingServiceContract):
    mounts = False


@pytest.mark.slow
class TestPoolOfJobs(InJobs, ReuseModeContract):
    reuse_mode = True
