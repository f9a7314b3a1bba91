"""The training-service contract for trials in jobs of Azure ML, by a stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aml_stand_in import AmlStandIn, Facts
from nni_manager.shared_storage.azure_blob import Container
from nni_manager.testing.job_place import JobPlace
from nni_manager.testing.reuse_mode import ReuseModeContract
from nni_manager.testing.same_id import EXPERIMENT_ID, MakePlatform, SameIdContract
from nni_manager.testing.training_service import TrainingServiceContract
from nni_manager.training.aml.place import AmlPlace
from nni_manager.training.aml.platform import AzureMl
from nni_manager.training.jobs.names import storage_folder

pytestmark = [
    pytest.mark.slow,
    # Azure's libraries use what other libraries will take away.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

FACTS = Facts()
PLACE = AmlPlace(FACTS.subscription, FACTS.group, FACTS.workspace, FACTS.compute, "python:3.11")


@pytest.fixture
def make_platform(
    tmp_path: Path, blob_account: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakePlatform]:
    container = Container(blob_account.name, blob_account.container, blob_account.url, blob_account.key)
    (tmp_path / "azure").mkdir()
    with AmlStandIn(tmp_path / "azure", blob_account, FACTS).running() as azure:
        for name, value in azure.environment.items():
            monkeypatch.setenv(name, value)
        yield lambda folder: AzureMl(PLACE, EXPERIMENT_ID, storage_folder(EXPERIMENT_ID, folder), container)


class TestAzureMl(TrainingServiceContract):
    @pytest.fixture
    def place(self, tmp_path: Path, make_platform: MakePlatform) -> JobPlace:
        return JobPlace(tmp_path, partial(make_platform, tmp_path))


class TestPoolOfAzureMl(ReuseModeContract):
    @pytest.fixture
    def place(self, tmp_path: Path, make_platform: MakePlatform) -> JobPlace:
        return JobPlace(tmp_path, partial(make_platform, tmp_path), reuse_mode=True)


class TestSameIdOnAzureMl(SameIdContract):
    pass
