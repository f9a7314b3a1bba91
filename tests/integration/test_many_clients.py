"""Many clients of one manager at the same time, over the real port and with the real record."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from nni_config import CustomAlgorithmConfig, ExperimentConfig
from nni_manager.experiments.parts import Parts
from nni_manager.experiments.service import ExperimentService
from nni_manager.storage.sqlite import open_sqlite_storage
from nni_manager.testing.running_port import EXPERIMENT_ID, RunningPort, running_port
from nni_manager.testing.simulated_algorithm import SimulatedAlgorithm
from nni_manager.testing.simulated_training import SimulatedTrainingService
from nni_proto import values
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1.experiment_service_pb2_grpc import ExperimentServiceStub

CLIENTS = 10
PARAMETERS = 10
NAME = f"experiments/{EXPERIMENT_ID}"


async def create_trials(port: RunningPort, client: int, count: int) -> list[str]:
    """Creates trials over a connection of its own, looking at each one, and returns their names."""
    metadata = [("authorization", f"Bearer {port.tokens.manager()}")]
    names = []
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port.port}", options=options) as channel:
        stub: Any = ExperimentServiceStub(channel)
        for number in range(count):
            request = pb.CreateTrialRequest(
                parent=NAME,
                parameters=values.to_message(parameters_of(client, number)),
                request_id=str(uuid.uuid4()),
            )
            made = (await stub.CreateTrial(request, metadata=metadata, timeout=60)).trial
            read = pb.GetTrialRequest(name=made.name)
            seen = (await stub.GetTrial(read, metadata=metadata, timeout=60)).trial
            assert values.from_message(seen.parameters) == parameters_of(client, number)
            names.append(seen.name)
    return names


def parameters_of(client: int, number: int) -> dict[str, float]:
    """Returns parameters that no other trial has."""
    return {f"p{index}": client + number / 1000 for index in range(PARAMETERS)}


@pytest.mark.parametrize("count", [20, pytest.param(250, marks=pytest.mark.slow)])
async def test_no_call_fails_and_nobody_sees_what_is_another_s(tmp_path: Path, count: int) -> None:
    """Row 214: 10 clients create trials of 10 parameters, and read each one back."""
    service = ExperimentService(
        tmp_path,
        Parts(
            open_sqlite_storage,
            lambda config, experiment_id, folder, emit: SimulatedTrainingService(emit, None),
            lambda settings, emit: SimulatedAlgorithm(settings, emit),
            lambda experiment, trial: {},
        ),
    )
    config = ExperimentConfig(
        "local",
        search_space={"p0": {"_type": "uniform", "_value": [0, 100]}},
        trial_command="true",
        trial_code_directory=tmp_path,
        trial_concurrency=1,
    )
    config.tuner = CustomAlgorithmConfig(class_name="my.Tuner")
    await service.create(config, EXPERIMENT_ID, "r")
    async with running_port(service=service) as port:
        await service.start(EXPERIMENT_ID)
        await service.pause(EXPERIMENT_ID)  # what is created waits, and the tuner proposes nothing more
        made = await asyncio.gather(*(create_trials(port, client, count) for client in range(CLIENTS)))
    stored = await service.trials(EXPERIMENT_ID, -1, 10**6, ())
    await service.close(by_user=False, message="the test has ended")
    names = [name for each in made for name in each]
    found = {f"{NAME}/trials/{view.stored.record.trial_id}": view.stored.record.parameters for view in stored}
    assert len(set(names)) == len(names) == CLIENTS * count
    for client, each in enumerate(made):
        for number, name in enumerate(each):
            assert found[name] == parameters_of(client, number)
