"""The training-service contract for trials in jobs of OpenPAI, by a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from nni_config import ExperimentConfig, OpenpaiConfig
from nni_manager.testing.job_place import JobPlace
from nni_manager.testing.reuse_mode import ReuseModeContract
from nni_manager.testing.same_id import EXPERIMENT_ID, MakePlatform, SameIdContract
from nni_manager.testing.training_service import TrainingServiceContract
from nni_manager.training.openpai.making import make_openpai_platform
from openpai_stand_in import OpenPaiStandIn

# Quick tests hold jobs to it with a platform that costs no requests.
pytestmark = pytest.mark.slow


@pytest.fixture
def make_platform(tmp_path: Path) -> Iterator[MakePlatform]:
    mount = tmp_path / "mount"
    mount.mkdir()
    with OpenPaiStandIn(tmp_path / "pai", {"data": mount}) as stand_in:
        config = OpenpaiConfig(
            host=stand_in.address,
            username="ada",
            token="sesame",
            trial_command="true",
            trial_code_directory=tmp_path,
            trial_cpu_number=1,
            trial_gpu_number=0,
            trial_memory_size="1gb",
            storage_config_name="data",
            local_storage_mount_point=mount,
            container_storage_mount_point=str(mount),
        ).canonical_copy()
        experiment = ExperimentConfig("openpai")
        yield lambda folder: make_openpai_platform(experiment, config, EXPERIMENT_ID, folder)


class TestOpenPai(TrainingServiceContract):
    @pytest.fixture
    def place(self, tmp_path: Path, make_platform: MakePlatform) -> JobPlace:
        return JobPlace(tmp_path, partial(make_platform, tmp_path))


class TestPoolOfOpenPai(ReuseModeContract):
    @pytest.fixture
    def place(self, tmp_path: Path, make_platform: MakePlatform) -> JobPlace:
        return JobPlace(tmp_path, partial(make_platform, tmp_path), reuse_mode=True)


class TestSameIdOnOpenPai(SameIdContract):
    pass
