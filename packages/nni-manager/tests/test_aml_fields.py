"""Each field of AmlConfig, set and not set, from the file to the submitted job (rows 175 and 177)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aml_stand_in import AmlStandIn, Facts
from nni_config import ExperimentConfig
from nni_config.wire import config_from_message, config_to_message
from nni_config.yaml_text import yaml_text
from nni_manager.engine.events import Report, TrialReported
from nni_manager.engine.statuses import MetricKind
from nni_manager.training.aml.making import make_aml_platform
from nni_manager.training.aml.place import AmlPlace
from nni_manager.training.aml.platform import AzureMl
from nni_manager.training.aml.workspace import AmlWorkspace
from nni_manager.training.interface import TrainingServiceError
from nni_manager.training.jobs.platform import JobOrder

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FACTS = Facts()
NEEDED = {
    "subscriptionId": FACTS.subscription,
    "resourceGroup": FACTS.group,
    "workspaceName": FACTS.workspace,
    "computeTarget": FACTS.compute,
}
IMAGE = "msranni/nni:latest"


@pytest.fixture
def azure(tmp_path: Path, blob_account: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[AmlStandIn]:
    (tmp_path / "azure").mkdir()
    with AmlStandIn(tmp_path / "azure", blob_account, FACTS).running() as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        made.faults.hold = True
        yield made


def loaded(folder: Path, service: dict[str, Any], storage: dict[str, Any] | None) -> ExperimentConfig:
    """Returns what the manager gets of a file: read, checked, made canonical, sent."""
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code" / "archive").write_text("code")
    experiment = {
        "searchSpace": {"x": {"_type": "uniform", "_value": [0, 1]}},
        "trialCommand": "python3 trial.py",
        "trialCodeDirectory": str(folder / "code"),
        "trialConcurrency": 1,
        "tuner": {"name": "Random"},
        "trainingService": {"platform": "aml", **service},
        **({} if storage is None else {"sharedStorage": storage}),
    }
    (folder / "experiment.yml").write_text(yaml_text(experiment))
    config = ExperimentConfig.load(folder / "experiment.yml").canonical_copy()
    return config_from_message(config_to_message(config))


def shared(azure: AmlStandIn) -> dict[str, Any]:
    """The workspace's own account, reached where the stand-in has it."""
    return {
        "storageType": "AzureBlob",
        "storageAccountName": azure.account.name,
        "storageAccountKey": azure.account.key,
        "storageAccountUrl": azure.account.url,
        "containerName": azure.account.container,
        "localMountPoint": "/nowhere",
        "remoteMountPoint": "/nowhere",
        "localMounted": "nomount",
    }


@asynccontextmanager
async def opened(folder: Path, azure: AmlStandIn, service: dict[str, Any]) -> AsyncIterator[AzureMl]:
    config = loaded(folder, NEEDED | service, shared(azure))
    platform = make_aml_platform(config, config.training_service, "exp00001", folder)
    assert isinstance(platform, AzureMl)
    try:
        await platform.open()
        await platform.prepare({"code": folder / "code" / "archive"})
        yield platform
    finally:
        await platform.close()


@pytest.mark.parametrize(
    ("service", "image", "slots"),
    [
        ({}, IMAGE, 1),
        ({"dockerImage": "mine:1"}, "mine:1", 1),
        ({"trialGpuNumber": 1, "maxTrialNumberPerGpu": 3}, IMAGE, 3),
        ({"trialGpuNumber": 0}, IMAGE, 1),
        ({"reuseMode": True}, IMAGE, 1),
        ({"reuseMode": False}, IMAGE, 1),
        ({"nniManagerIp": "10.0.0.1", "debug": True}, IMAGE, 1),
    ],
    ids=str,
)
async def test_a_field_reaches_the_job(
    azure: AmlStandIn, tmp_path: Path, service: dict[str, Any], image: str, slots: int
) -> None:
    async with opened(tmp_path, azure, service) as platform:
        await platform.submit(JobOrder("nni_exp00001_a_0", "true", {"A": "b"}))
        assert platform.slots_per_job == slots
    job = azure.jobs["nni_exp00001_a_0"].resource["properties"]
    (environment,) = azure.environments.values()
    assert environment["properties"]["image"] == image
    assert job["environmentId"].endswith(environment["id"])
    assert job["computeId"] == f"{FACTS.path}/computes/{FACTS.compute}"
    assert (job["resources"]["instanceCount"], job["environmentVariables"]) == (1, {"A": "b"})
    assert {each["mode"] for each in job["inputs"].values()} == {"Download"}


@pytest.mark.parametrize(
    ("service", "names"),
    [
        ({}, ["a/final"]),
        ({"reuseMode": True, "studioMetrics": True}, ["a/final"]),
        ({"reuseMode": False}, ["final"]),
        ({"studioMetrics": False}, []),
        ({"reuseMode": False, "studioMetrics": False}, []),
    ],
    ids=str,
)
async def test_results_in_the_studio(
    azure: AmlStandIn, tmp_path: Path, service: dict[str, Any], names: list[str]
) -> None:
    reported = TrialReported("a", 0, (Report(MetricKind.FINAL, "r", 0, 0.5, 1_700_000_000.0),), 1)
    async with opened(tmp_path, azure, service) as platform:
        await platform.submit(JobOrder("nni_exp00001_a_0", "true"))
        platform.show_results("nni_exp00001_a_0", reported)
    assert [metric["key"] for metric in azure.jobs["nni_exp00001_a_0"].metrics] == names


@pytest.mark.parametrize("name", ["torch:3", "torch@latest"])
async def test_a_registered_environment(azure: AmlStandIn, tmp_path: Path, name: str) -> None:
    place = f"{FACTS.path}/environments/torch/versions/3"
    azure.environments["torch:3"] = {"id": place, "name": "3", "properties": {"image": "x", "version": "3"}}
    async with opened(tmp_path, azure, {"environment": name}) as platform:
        await platform.submit(JobOrder("nni_exp00001_a_0", "true"))
    assert azure.environments.keys() == {"torch:3"}
    job = azure.jobs["nni_exp00001_a_0"].resource["properties"]
    assert job["environmentId"].rpartition("/environments/")[2] in ("torch/versions/3", "torch/labels/latest")


@pytest.mark.parametrize("field", sorted(NEEDED))
def test_what_must_be_set_is_named(tmp_path: Path, field: str) -> None:
    service = {name: value for name, value in NEEDED.items() if name != field}
    with pytest.raises(ValueError, match=r"trainingService\.\w+: it is not set|training_service\.\w+: it is"):
        loaded(tmp_path, service, None)


@pytest.mark.parametrize("credentials", ["AccountKey", "None"])
def test_without_a_shared_storage_the_workspace_s_own_is_used(
    azure: AmlStandIn, tmp_path: Path, credentials: str
) -> None:
    azure.credentials = credentials
    config = loaded(tmp_path, NEEDED, None)
    platform = make_aml_platform(config, config.training_service, "exp00001", tmp_path)
    assert (platform.platform, platform.name) == ("aml", "Azure ML (ws)")
    workspace = AmlWorkspace(AmlPlace(FACTS.subscription, FACTS.group, "ws", FACTS.compute, "image"))
    workspace.open()
    container = workspace.default_datastore().container
    workspace.close()
    assert str(container) == f"https://{azure.account.name}.blob.core.windows.net/{azure.account.container}"
    assert container.key == (azure.account.key if credentials == "AccountKey" else "")


def test_a_storage_that_jobs_do_not_see_is_refused(tmp_path: Path) -> None:
    nfs = {
        "storageType": "NFS",
        "nfsServer": "10.0.0.9",
        "exportedDirectory": "/data",
        "localMountPoint": str(tmp_path),
        "remoteMountPoint": "/mnt",
        "localMounted": "usermount",
    }
    config = loaded(tmp_path, NEEDED, nfs)
    with pytest.raises(
        TrainingServiceError, match="do not see a storage of the type NFS; allowed is AzureBlob"
    ):
        make_aml_platform(config, config.training_service, "exp00001", tmp_path)
