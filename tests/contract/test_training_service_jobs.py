"""The training-service contract for trials in jobs of a platform."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from nni_manager.testing.fake_job_platform import FakeCluster, FakePlatform
from nni_manager.testing.job_place import JobPlace
from nni_manager.testing.reuse_mode import ReuseModeContract
from nni_manager.testing.training_service import TrainingServiceContract


@pytest.fixture(params=["mounted", "sent"])
def cluster(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[FakeCluster]:
    """Jobs with the storage mounted, and jobs that send files."""
    cluster = FakeCluster(tmp_path / "cluster", mounts=request.param == "mounted")
    yield cluster
    cluster.end_all()


class TestJobs(TrainingServiceContract):
    @pytest.fixture
    def place(self, tmp_path: Path, cluster: FakeCluster) -> JobPlace:
        return JobPlace(tmp_path, partial(FakePlatform, cluster, "exp00001"))


class TestPoolOfJobs(ReuseModeContract):
    @pytest.fixture
    def place(self, tmp_path: Path, cluster: FakeCluster) -> JobPlace:
        return JobPlace(tmp_path, partial(FakePlatform, cluster, "exp00001"), reuse_mode=True)
