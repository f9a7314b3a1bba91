"""Who may call what: every RPC, with every kind of token, by gRPC and by JSON."""

from __future__ import annotations

import asyncio
import http.client
import json
import struct
import uuid
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from nni_manager.rpc.calls import SERVICES
from nni_manager.testing.running_port import EXPERIMENT_ID, RunningPort, example_config, running_port
from nni_proto.v1 import experiment_service_pb2 as experiment
from nni_proto.v1 import trial_runtime_service_pb2 as trial_runtime

TOKENS = ("no", "wrong", "other trial", "own trial", "view-only", "manager")

NO_TOKEN, REFUSED, OK = "UNAUTHENTICATED", "PERMISSION_DENIED", "OK"

# Written by hand on purpose: this is the promise that the policy table has to keep.
#                      no        wrong     other    own      view     manager
EXPECTED = {
    "CreateExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK),
    "GetExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK),
    "UpdateExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK),
    "StartExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK),
    "ResumeExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK),
    "PauseExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK),
    "UnpauseExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK),
    "StopExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK),
    "WatchExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK),
    "GetTrial": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK),
    "ListTrials": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK),
    "CreateTrial": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK),
    "CancelTrial": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK),
    "ListMetrics": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK),
    "ExportTrials": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK),
    "ImportTrials": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK),
    "CreateSignInCode": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK),
    "GetParameters": (NO_TOKEN, NO_TOKEN, REFUSED, OK, REFUSED, OK),
    "ReportMetrics": (NO_TOKEN, NO_TOKEN, REFUSED, OK, REFUSED, OK),
}

EXPERIMENT = f"experiments/{EXPERIMENT_ID}"
TRIAL = f"{EXPERIMENT}/trials/mine"
REQUEST_ID = str(uuid.uuid4())

REQUESTS: dict[str, Message] = {
    "CreateExperiment": experiment.CreateExperimentRequest(request_id=REQUEST_ID, config=example_config()),
    "GetExperiment": experiment.GetExperimentRequest(name=EXPERIMENT),
    "UpdateExperiment": experiment.UpdateExperimentRequest(
        name=EXPERIMENT, config={"trial_concurrency": 2}, update_mask={"paths": ["trial_concurrency"]}
    ),
    "StartExperiment": experiment.StartExperimentRequest(name=EXPERIMENT),
    "ResumeExperiment": experiment.ResumeExperimentRequest(name=EXPERIMENT),
    "PauseExperiment": experiment.PauseExperimentRequest(name=EXPERIMENT),
    "UnpauseExperiment": experiment.UnpauseExperimentRequest(name=EXPERIMENT),
    "StopExperiment": experiment.StopExperimentRequest(name=EXPERIMENT),
    "WatchExperiment": experiment.WatchExperimentRequest(name=EXPERIMENT),
    "GetTrial": experiment.GetTrialRequest(name=TRIAL),
    "ListTrials": experiment.ListTrialsRequest(parent=EXPERIMENT),
    "CreateTrial": experiment.CreateTrialRequest(
        parent=EXPERIMENT, request_id=REQUEST_ID, parameters={"int_value": 1}
    ),
    "CancelTrial": experiment.CancelTrialRequest(name=TRIAL),
    "ListMetrics": experiment.ListMetricsRequest(parent=EXPERIMENT),
    "ExportTrials": experiment.ExportTrialsRequest(parent=EXPERIMENT),
    "ImportTrials": experiment.ImportTrialsRequest(parent=EXPERIMENT, request_id=REQUEST_ID),
    "CreateSignInCode": experiment.CreateSignInCodeRequest(name=EXPERIMENT),
    "GetParameters": trial_runtime.GetParametersRequest(trial=TRIAL),
    "ReportMetrics": trial_runtime.ReportMetricsRequest(
        trial=TRIAL,
        reports=[{"kind": 1, "reporter": "r", "number": 0, "value": {"double_value": 0.5}}],
    ),
}

METHODS = {method.name: method for service in SERVICES for method in service.methods}


def test_the_table_has_every_rpc() -> None:
    assert set(EXPECTED) == set(METHODS) == set(REQUESTS)


@pytest.mark.parametrize("transport", ["grpc", "json"])
@pytest.mark.parametrize("name", EXPECTED)
async def test_each_token_gets_what_the_table_says(name: str, transport: str) -> None:
    call = {"grpc": _call_by_grpc, "json": _call_by_json}[transport]
    async with running_port() as port:
        await port.experiments.create(_config(), EXPERIMENT_ID, REQUEST_ID)
        port.experiments.add_trial("mine", {"x": 1})
        port.experiments.add_trial("other", {"x": 2})
        answers = [await call(port, name, _token(port, kind)) for kind in TOKENS]
    assert dict(zip(TOKENS, answers, strict=True)) == dict(zip(TOKENS, EXPECTED[name], strict=True))


def _config() -> Any:
    from nni_config.wire import config_from_message

    return config_from_message(example_config()).canonical_copy()


def _token(port: RunningPort, kind: str) -> str | None:
    return {
        "no": None,
        "wrong": port.tokens.manager()[:-1] + ("0" if port.tokens.manager()[-1] != "0" else "1"),
        "other trial": port.tokens.trial("other"),
        "own trial": port.tokens.trial("mine"),
        "view-only": port.tokens.view(),
        "manager": port.tokens.manager(),
    }[kind]


async def _call_by_grpc(port: RunningPort, name: str, token: str | None) -> str:
    method = METHODS[name]
    path = f"/{method.containing_service.full_name}/{name}"
    metadata = [("authorization", f"Bearer {token}")] if token else []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port.port}") as channel:
        make = channel.unary_stream if method.server_streaming else channel.unary_unary
        call = make(path, request_serializer=type(REQUESTS[name]).SerializeToString)(
            REQUESTS[name], metadata=metadata
        )
        try:
            await (call.read() if method.server_streaming else call)
        except grpc.aio.AioRpcError as error:
            assert b"nni" in dict(error.trailing_metadata())["grpc-status-details-bin"]
            return error.code().name
        call.cancel()
        return OK


async def _call_by_json(port: RunningPort, name: str, token: str | None) -> str:
    return await asyncio.to_thread(_post, port.port, name, token)


def _post(port: int, name: str, token: str | None) -> str:
    method = METHODS[name]
    text = json_format.MessageToJson(REQUESTS[name]).encode()
    headers = {"Content-Type": "application/json"}
    if method.server_streaming:
        text = struct.pack(">BI", 0, len(text)) + text
        headers = {"Content-Type": "application/connect+json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", f"/{method.containing_service.full_name}/{name}", text, headers)
        response = connection.getresponse()
        if response.status == 200:
            if method.server_streaming:
                flags, length = struct.unpack(">BI", response.read(5))
                assert flags == 0 and "experiment" in json.loads(response.read(length))
            return OK
        body = json.loads(response.read())
        assert response.status == {"unauthenticated": 401, "permission_denied": 403}[body["code"]]
        (detail,) = body["details"]
        assert detail["debug"] == {"reason": body["code"].upper(), "domain": "nni"}
        return body["code"].upper()
    finally:
        connection.close()
