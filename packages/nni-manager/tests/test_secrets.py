"""What a configuration has of secrets reaches the manager, and nothing that the manager shows or keeps."""

from __future__ import annotations

import http.client
import json
import logging
import re
import uuid
from asyncio import to_thread
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import nni_config
import pytest
from nni_config import ConfigBase, ExperimentConfig, TrainingServiceConfig
from nni_config.fields import SecretText, field_kinds
from nni_config.wire import config_to_message
from nni_manager.experiments import creating
from nni_manager.experiments.parts import Parts
from nni_manager.experiments.service import ExperimentService
from nni_manager.server.logs import start_logging
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.running_port import EXPERIMENT_ID, RunningPort, running_port
from nni_manager.testing.simulated_algorithm import SimulatedAlgorithm
from nni_manager.testing.simulated_training import SimulatedTrainingService
from nni_proto.v1 import experiment_config_pb2
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1.experiment_service_pb2_grpc import ExperimentServiceStub

NAME = f"experiments/{EXPERIMENT_ID}"
SECRET = "never-to-be-seen"
SHOWN = "not-hidden-at-all"


class VaultConfig(TrainingServiceConfig):
    """A place of somebody else's with a secret."""

    platform: str = "vault-of-this-test"
    address: str
    combination: SecretText


WORDS = dict.fromkeys(("username", "storageConfigName", "containerStorageMountPoint"), SHOWN)
DLC = dict.fromkeys(
    (
        *("image", "ecsSpec", "region", "workspaceId", "nasDataSourceId", "accessKeyId", "accessKeySecret"),
        *("localStorageMountPoint", "containerStorageMountPoint"),
    ),
    SHOWN,
)


def place(service: dict[str, Any]) -> dict[str, Any]:
    return {"trainingService": {"trialCommand": "true", "trialCodeDirectory": str(Path.cwd()), **service}}


def remote(**machine: str) -> dict[str, Any]:
    return place({"platform": "remote", "machineList": [{"host": SHOWN, "user": "a", **machine}]})


CASES: dict[tuple[str, str], dict[str, Any]] = {
    ("AlgorithmConfig", "token"): {
        "tuner": {"endpoint": "127.0.0.1:1", "token": SECRET, "classArgs": {"word": SHOWN}}
    },
    ("RemoteMachineConfig", "password"): remote(password=SECRET),
    ("RemoteMachineConfig", "ssh_passphrase"): remote(sshPassphrase=SECRET, sshKeyFile=__file__),
    ("OpenpaiConfig", "token"): place(
        {
            **{"platform": "openpai", **WORDS, "host": "a", "token": SECRET, "trialCpuNumber": 1},
            **{"trialMemorySize": "1gb", "trialGpuNumber": 0, "localStorageMountPoint": str(Path.cwd())},
        }
    ),
    ("DlcConfig", "access_key_secret"): place(
        {"platform": "dlc", **DLC, "podCount": 1, "accessKeySecret": SECRET}
    ),
    ("AzureBlobConfig", "storage_account_key"): {
        "sharedStorage": {
            **{"storageType": "AzureBlob", "localMountPoint": "/mnt", "remoteMountPoint": "/mnt"},
            **{"localMounted": "nnimount", "storageAccountName": SHOWN, "containerName": "a"},
            "storageAccountKey": SECRET,
        }
    },
    ("AzureBlobConfig", "storage_sas_token"): {
        "sharedStorage": {
            **{"storageType": "AzureBlob", "localMountPoint": "/mnt", "remoteMountPoint": "/mnt"},
            **{"localMounted": "nnimount", "storageAccountName": SHOWN, "containerName": "a"},
            "storageSasToken": SECRET,
        }
    },
    ("VaultConfig", "combination"): place(
        {"platform": "vault-of-this-test", "address": SHOWN, "combination": SECRET}
    ),
}
INHERITED = {
    ("CustomAlgorithmConfig", "token"),
    ("NfsConfig", "storage_account_key"),
    ("SharedStorageConfig", "storage_account_key"),
    ("NfsConfig", "storage_sas_token"),
    ("SharedStorageConfig", "storage_sas_token"),
}
"""Fields that are tested with the class that is used for them."""


def test_every_secret_field_of_every_class_is_tested() -> None:
    classes = [getattr(nni_config, name) for name in nni_config.__all__]
    classes = [each for each in classes if isinstance(each, type) and issubclass(each, ConfigBase)]
    fields = {
        (each.__name__, name)
        for each in (*classes, VaultConfig)
        for name, kind in field_kinds(each).items()
        if kind.is_secret
    }
    assert fields == CASES.keys() | INHERITED


def message_of(case: dict[str, Any]) -> experiment_config_pb2.ExperimentConfig:
    fields = {
        "experimentName": "example",
        "trialConcurrency": 1,
        "maxTrialNumber": 1,
        "trialCommand": "true",
        "searchSpace": {"x": {"_type": "uniform", "_value": [0, 1]}},
        "tuner": {"name": "Random"},
        "trainingService": {"platform": "local"},
    }
    return config_to_message(ExperimentConfig(**{**fields, **case}).canonical_copy())


@pytest.fixture
async def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RunningPort]:
    """A port in front of a real service that would run any place, with trials that are simulated."""
    monkeypatch.setattr(creating, "start_problems", lambda config: [])
    handlers, level = logging.root.handlers[:], logging.root.level
    start_logging(tmp_path / "nnimanager.log", "trace")
    parts = Parts(
        open_sqlite_storage,
        lambda config, experiment, folder, emit: SimulatedTrainingService(
            emit, lambda parameters: [parameters["x"]]
        ),
        lambda settings, emit: SimulatedAlgorithm(settings, emit),
        lambda experiment, trial: {},
    )
    service = ExperimentService(tmp_path, parts)
    try:
        async with running_port(service=service) as running:
            yield running
    finally:
        await service.close(by_user=False, message="test over")
        for handler in logging.root.handlers:
            handler.close()
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        logging.captureWarnings(False)


async def over_http(port: RunningPort, method: str, path: str, body: Any = None) -> str:
    def ask() -> str:
        with closing(http.client.HTTPConnection("127.0.0.1", port.port, timeout=30)) as connection:
            headers = {
                "Authorization": f"Bearer {port.tokens.manager()}",
                "Content-Type": "application/json",
            }
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode()
            assert response.status == 200, text
            return text

    return await to_thread(ask)


@pytest.mark.parametrize("field", CASES, ids=".".join)
async def test_a_secret_is_sent_and_never_shown_or_kept(
    port: RunningPort, tmp_path: Path, field: tuple[str, str]
) -> None:
    message = message_of(CASES[field])
    assert SECRET in str(message)
    answers: list[str] = []
    metadata = [("authorization", f"Bearer {port.tokens.manager()}")]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port.port}") as channel:
        stub: Any = ExperimentServiceStub(channel)

        async def ask(method: str, request: Any) -> None:
            answers.append(str(await getattr(stub, method)(request, metadata=metadata, timeout=30)))

        create = pb.CreateExperimentRequest(request_id=str(uuid.uuid4()), config=message)
        await ask("CreateExperiment", create)
        await ask("CreateExperiment", create)
        await ask("StartExperiment", pb.StartExperimentRequest(name=NAME))
        update = pb.UpdateExperimentRequest(name=NAME, update_mask={"paths": ["trial_concurrency"]})
        update.config.trial_concurrency = 2
        await ask("UpdateExperiment", update)
        await ask("GetExperiment", pb.GetExperimentRequest(name=NAME))
        watch = stub.WatchExperiment(pb.WatchExperimentRequest(name=NAME), metadata=metadata, timeout=30)
        answers.append(str(await watch.read()))
        watch.cancel()
        answers.append(
            await over_http(port, "POST", "/nni_proto.v1.ExperimentService/GetExperiment", {"name": NAME})
        )
        answers.append(await over_http(port, "GET", "/"))
        await ask("StopExperiment", pb.StopExperimentRequest(name=NAME))
    assert sum(SHOWN in answer for answer in answers) >= 6
    kept = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any(SHOWN.encode() in content for content in kept.values()) and kept["nnimanager.log"]
    for name, content in (*kept.items(), *((answer, answer.encode()) for answer in answers)):
        assert SECRET.encode() not in content, name


@pytest.mark.parametrize("field", CASES, ids=".".join)
async def test_a_refusal_does_not_show_a_secret(
    port: RunningPort, tmp_path: Path, field: tuple[str, str]
) -> None:
    message = message_of(CASES[field])
    message.trial_concurrency = -1
    for service in message.training_services:
        if service.WhichOneof("platform") == "custom":
            service.custom.platform += "x"
    metadata = [("authorization", f"Bearer {port.tokens.manager()}")]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port.port}") as channel:
        stub: Any = ExperimentServiceStub(channel)
        create = pb.CreateExperimentRequest(request_id=str(uuid.uuid4()), config=message)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.CreateExperiment(create, metadata=metadata, timeout=30)
    assert re.search("trial_concurrency|platform", caught.value.details() or "")
    assert SECRET not in str(caught.value) and SECRET not in (tmp_path / "nnimanager.log").read_text()
