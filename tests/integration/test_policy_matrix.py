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
from nni_proto.v1 import experiment_file_pb2, experiment_summary_pb2, tensor_board_pb2, trial_table_pb2
from nni_proto.v1 import experiment_service_pb2 as experiment
from nni_proto.v1 import trial_runtime_service_pb2 as trial_runtime

TOKENS = ("no", "wrong", "other trial", "own trial", "view-only", "manager", "other job", "own job")
"""The columns. A call that a token is good for is answered, or refused for another reason than who calls."""

NO_TOKEN, REFUSED, OK = "UNAUTHENTICATED", "PERMISSION_DENIED", "OK"

# Written by hand on purpose: this is the promise that the policy table has to keep.
#                      no        wrong     other    own      view     manager  other job, own job
EXPECTED = {
    "CreateExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "GetExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK, REFUSED, REFUSED),
    "UpdateExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "StartExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "ResumeExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "PauseExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "UnpauseExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "StopExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "WatchExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK, REFUSED, REFUSED),
    "GetTrial": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK, REFUSED, REFUSED),
    "ListTrials": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK, REFUSED, REFUSED),
    "CreateTrial": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "CancelTrial": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "ListMetrics": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK, REFUSED, REFUSED),
    "ListColumns": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK, REFUSED, REFUSED),
    "ReadColumns": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK, REFUSED, REFUSED),
    "ListCurves": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK, REFUSED, REFUSED),
    "GetParameterImportance": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK, REFUSED, REFUSED),
    "ExportTrials": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK, REFUSED, REFUSED),
    "ImportTrials": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "ListFiles": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK, REFUSED, REFUSED),
    "ReadFile": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK, REFUSED, REFUSED),
    "ListExperiments": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "WatchExperiments": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "DeleteExperiment": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "CreateTensorBoard": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "ListTensorBoards": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, OK, OK, REFUSED, REFUSED),
    "DeleteTensorBoard": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "CreateSignInCode": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, REFUSED),
    "GetParameters": (NO_TOKEN, NO_TOKEN, REFUSED, OK, REFUSED, OK, REFUSED, REFUSED),
    "ReportMetrics": (NO_TOKEN, NO_TOKEN, REFUSED, OK, REFUSED, OK, REFUSED, REFUSED),
    "AppendJobEvents": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, OK),
    "ReadJobOrders": (NO_TOKEN, NO_TOKEN, REFUSED, REFUSED, REFUSED, OK, REFUSED, OK),
}

EXPERIMENT = f"experiments/{EXPERIMENT_ID}"
TRIAL = f"{EXPERIMENT}/trials/mine"
JOB = f"{EXPERIMENT}/jobs/mine"
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
    "ListColumns": trial_table_pb2.ListColumnsRequest(parent=EXPERIMENT),
    "ReadColumns": trial_table_pb2.ReadColumnsRequest(parent=EXPERIMENT, columns=["number"]),
    "ListCurves": trial_table_pb2.ListCurvesRequest(parent=EXPERIMENT),
    "GetParameterImportance": trial_table_pb2.GetParameterImportanceRequest(parent=EXPERIMENT),
    "ExportTrials": experiment.ExportTrialsRequest(parent=EXPERIMENT),
    "ImportTrials": experiment.ImportTrialsRequest(parent=EXPERIMENT, request_id=REQUEST_ID),
    "ListFiles": experiment_file_pb2.ListFilesRequest(parent=TRIAL),
    "ReadFile": experiment_file_pb2.ReadFileRequest(parent=TRIAL, path="stdout"),
    "ListExperiments": experiment_summary_pb2.ListExperimentsRequest(),
    "WatchExperiments": experiment_summary_pb2.WatchExperimentsRequest(),
    "DeleteExperiment": experiment_summary_pb2.DeleteExperimentRequest(name=EXPERIMENT),
    "CreateTensorBoard": tensor_board_pb2.CreateTensorBoardRequest(parent=EXPERIMENT),
    "ListTensorBoards": tensor_board_pb2.ListTensorBoardsRequest(parent=EXPERIMENT),
    "DeleteTensorBoard": tensor_board_pb2.DeleteTensorBoardRequest(name=f"{EXPERIMENT}/tensorBoards/t"),
    "CreateSignInCode": experiment.CreateSignInCodeRequest(name=EXPERIMENT),
    "GetParameters": trial_runtime.GetParametersRequest(trial=TRIAL),
    "ReportMetrics": trial_runtime.ReportMetricsRequest(
        trial=TRIAL,
        reports=[{"kind": 1, "reporter": "r", "number": 0, "value": {"double_value": 0.5}}],
    ),
    "AppendJobEvents": trial_runtime.AppendJobEventsRequest(job=JOB, data=b"{}\n"),
    "ReadJobOrders": trial_runtime.ReadJobOrdersRequest(job=JOB),
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


@pytest.mark.parametrize("transport", ["grpc", "json"])
async def test_a_view_only_token_shows_its_own_experiment_alone(transport: str) -> None:
    call = {"grpc": _call_by_grpc, "json": _call_by_json}[transport]
    shown = [name for name, row in EXPECTED.items() if row[4] == OK]
    async with running_port() as port:
        await port.experiments.create(_config(), EXPERIMENT_ID, REQUEST_ID)
        port.experiments.add_trial("mine", {"x": 1})
        for request in (_elsewhere(REQUESTS[name]) for name in shown):
            name = type(request).__name__.removesuffix("Request")
            assert await call(port, name, port.tokens.view(), request) == REFUSED, name
            assert await call(port, name, port.tokens.manager(), request) == OK, name


def _elsewhere(request: Message) -> Message:
    """Returns a request about another experiment."""
    other = type(request)()
    other.CopyFrom(request)
    field = "name" if "name" in request.DESCRIPTOR.fields_by_name else "parent"
    setattr(other, field, getattr(request, field).replace(EXPERIMENT, "experiments/another"))
    return other


def _config() -> Any:
    from nni_config.wire import config_from_message

    return config_from_message(example_config()).canonical_copy()


def _token(port: RunningPort, kind: str) -> str | None:
    return {
        "no": None,
        "wrong": port.tokens.manager()[:-1] + ("0" if port.tokens.manager()[-1] != "0" else "1"),
        "other trial": port.tokens.trial("other"),
        "own trial": port.tokens.trial("mine"),
        "other job": port.tokens.job("other"),
        "own job": port.tokens.job("mine"),
        "view-only": port.tokens.view(),
        "manager": port.tokens.manager(),
    }[kind]


async def _call_by_grpc(
    port: RunningPort, name: str, token: str | None, request: Message | None = None
) -> str:
    method = METHODS[name]
    request = request or REQUESTS[name]
    path = f"/{method.containing_service.full_name}/{name}"
    metadata = [("authorization", f"Bearer {token}")] if token else []
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port.port}") as channel:
        make = channel.unary_stream if method.server_streaming else channel.unary_unary
        call = make(path, request_serializer=type(request).SerializeToString)(request, metadata=metadata)
        try:
            await (call.read() if method.server_streaming else call)
        except grpc.aio.AioRpcError as error:
            assert b"nni" in dict(error.trailing_metadata())["grpc-status-details-bin"]
            return _verdict(error.code().name)
        call.cancel()
        return OK


async def _call_by_json(
    port: RunningPort, name: str, token: str | None, request: Message | None = None
) -> str:
    return await asyncio.to_thread(_post, port.port, name, token, request or REQUESTS[name])


def _verdict(code: str) -> str:
    assert code not in ("UNKNOWN", "UNIMPLEMENTED", "INTERNAL")
    return code if code in (NO_TOKEN, REFUSED) else OK


def _post(port: int, name: str, token: str | None, request: Message) -> str:
    method = METHODS[name]
    text = json_format.MessageToJson(request).encode()
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
        if response.status == 200 and not method.server_streaming:
            return OK
        if response.status == 200:
            flags, length = struct.unpack(">BI", response.read(5))
            body = json.loads(response.read(length))
            if flags == 0:
                return OK
            body = body["error"]
        else:
            body = json.loads(response.read())
            status = {"unauthenticated": 401, "permission_denied": 403}.get(body["code"])
            assert status in (None, response.status)
        (detail,) = body["details"]
        assert detail["debug"]["domain"] == "nni"
        verdict = _verdict(body["code"].upper())
        assert verdict == OK or detail["debug"]["reason"] == verdict
        return verdict
    finally:
        connection.close()
