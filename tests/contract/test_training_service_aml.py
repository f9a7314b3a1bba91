"""The training-service contract for trials in jobs of Azure ML, by a stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aml_stand_in import AmlStandIn, Facts
from nni_manager.shared_storage.azure_blob import Container
from nni_manager.testing.job_place import JobPlace
from nni_manager.testing.reuse_mode import ReuseModeContract
from nni_manager.testing.training_service import TrainingServiceContract
from nni_manager.training.aml.place import AmlPlace
from nni_manager.training.aml.platform import AzureMl

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
) -> Iterator[Callable[[], AzureMl]]:
    container = Container(blob_account.name, blob_account.container, blob_account.url, blob_account.key)
    (tmp_path / "azure").mkdir()
    with AmlStandIn(tmp_path / "azure", blob_account, FACTS).running() as azure:
        for name, value in azure.environment.items():
            monkeypatch.setenv(name, value)
        yield lambda: AzureMl(PLACE, "exp00001", container)


class TestAzureMl(TrainingServiceContract):
    @pytest.fixture
    def place(self, tmp_path: Path, make_platform: Callable[[], AzureMl]) -> JobPlace:
        return JobPlace(tmp_path, make_platform)


class TestPoolOfAzureMl(ReuseModeContract):
    @pytest.fixture
    def place(self, tmp_path: Path, make_platform: Callable[[], AzureMl]) -> JobPlace:
        return JobPlace(tmp_path, make_platform, reuse_mode=True)
