from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import struct
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from nni_config.wire import config_from_message
from nni_manager.rpc import paging
from nni_manager.testing.running_port import EXPERIMENT_ID, RunningPort, example_config, running_port
from nni_manager.web import rpc_routes
from nni_manager.web.connect import HTTP_STATUS
from nni_proto import values
from nni_proto.v1 import value_pb2

NAME = f"experiments/{EXPERIMENT_ID}"
SERVICE = "/nni_proto.v1.ExperimentService"
STREAM = "application/connect+json"


@pytest.fixture
async def port() -> AsyncIterator[RunningPort]:
    async with running_port() as running:
        config = config_from_message(example_config()).canonical_copy()
        await running.experiments.create(config, EXPERIMENT_ID, "r")
        yield running


def _connection(port: RunningPort) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port.port, timeout=30)


def _headers(port: RunningPort, content_type: str = "application/json", **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {port.tokens.manager()}", "Content-Type": content_type, **more}


async def post(port: RunningPort, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
    def make() -> tuple[int, Any]:
        with contextlib.closing(_connection(port)) as connection:
            connection.request("POST", path, body, dict(headers))
            response = connection.getresponse()
            text = response.read()
            is_json = response.headers["content-type"] == "application/json"
            return response.status, json.loads(text) if is_json else text

    return await asyncio.to_thread(make)


def envelope(message: Any, flags: int = 0) -> bytes:
    text = json.dumps(message).encode()
    return struct.pack(">BI", flags, len(text)) + text


def messages(body: bytes) -> list[tuple[int, Any]]:
    found = []
    while body:
        flags, length = struct.unpack_from(">BI", body)
        found.append((flags, json.loads(body[5 : 5 + length])))
        body = body[5 + length :]
    return found


async def test_a_call_answers_in_canonical_json(port: RunningPort) -> None:
    headers = _headers(port, "application/json; charset=utf-8", **{"Connect-Protocol-Version": "1"})
    status, answer = await post(
        port, f"{SERVICE}/GetExperiment", json.dumps({"name": NAME}).encode(), headers
    )
    assert status == 200
    experiment = answer["experiment"]
    assert experiment["status"] == "STATUS_INITIALIZED" and experiment["revision"] == "1"
    assert experiment["config"]["trialConcurrency"] == 1


async def test_values_keep_their_type_order_and_depth(port: RunningPort) -> None:
    deep: Any = 2**63 - 1
    for _ in range(paging_depth := values.MAX_DEPTH - 1):
        deep = [deep]
    reported = {"z": 1, "a": 1.0, "n": None, "nan": float("inf"), "deep": deep, "u": "\u00fc\u2028"}
    port.experiments.add_trial("t", reported)
    assert paging_depth == 29
    report = {
        "trial": f"{NAME}/trials/t",
        "reports": [
            {
                "kind": "METRIC_KIND_FINAL",
                "reporter": "r",
                "number": "0",
                "value": json_format.MessageToDict(values.to_message(reported)),
            }
        ],
    }
    path = "/nni_proto.v1.TrialRuntimeService/ReportMetrics"
    assert await post(port, path, json.dumps(report).encode(), _headers(port)) == (200, {"storedCount": 1})
    body = json.dumps({"parent": NAME}).encode()
    status, answer = await post(port, f"{SERVICE}/ListMetrics", body, _headers(port))
    assert status == 200
    message = json_format.ParseDict(answer["metrics"][0]["value"], value_pb2.Value(), max_recursion_depth=200)
    found = values.from_message(message)
    assert found == reported and list(found) == list(reported) and type(found["a"]) is float


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"1", b'{"nam": 1}', b'{"name": 1}', b"\xff", b'{"name": "\xed\xa0\x80"}', b"[" * 100_000],
)
async def test_a_body_that_is_not_the_message_is_refused(port: RunningPort, body: bytes) -> None:
    status, answer = await post(port, f"{SERVICE}/GetExperiment", body, _headers(port))
    assert status == 400 and answer["code"] == "invalid_argument"
    assert "GetExperimentRequest" in answer["message"]


async def test_an_empty_body_is_an_empty_message(port: RunningPort) -> None:
    status, answer = await post(port, f"{SERVICE}/GetExperiment", b"", _headers(port))
    assert status == 400 and answer["message"].startswith("name: ")


async def test_an_error_carries_its_reason(port: RunningPort) -> None:
    body = json.dumps({"name": "experiments/none"}).encode()
    status, answer = await post(port, f"{SERVICE}/GetExperiment", body, _headers(port))
    assert (status, answer["code"]) == (404, "not_found")
    (detail,) = answer["details"]
    assert detail["type"] == "google.rpc.ErrorInfo" and "=" not in detail["value"]
    text = detail["value"]
    info = error_details_pb2.ErrorInfo.FromString(base64.b64decode(text + "=" * (-len(text) % 4)))
    assert (info.domain, info.reason) == ("nni", "EXPERIMENT_NOT_FOUND")


async def test_every_code_has_an_http_status() -> None:
    import grpc

    names = {code.name.lower() for code in grpc.StatusCode} - {"ok", "cancelled"} | {"canceled"}
    assert set(HTTP_STATUS) == names


async def test_a_fault_is_told_in_neutral_words(port: RunningPort) -> None:
    port.experiments.failure = RuntimeError("the secret cause")
    status, answer = await post(
        port, f"{SERVICE}/GetExperiment", json.dumps({"name": NAME}).encode(), _headers(port)
    )
    assert (status, answer["code"]) == (500, "internal") and "secret" not in answer["message"]


@pytest.mark.parametrize(
    ("verb", "path", "headers", "status", "code", "reason"),
    [
        ("POST", f"{SERVICE}/Nothing", {}, 404, "unimplemented", "INVALID_ARGUMENT"),
        ("GET", "/nothing", {}, 404, "unimplemented", "INVALID_ARGUMENT"),
        ("GET", "/assets/none.js", {}, 404, "unimplemented", "INVALID_ARGUMENT"),
        ("GET", f"{SERVICE}/GetExperiment", {}, 405, "unimplemented", "INVALID_ARGUMENT"),
        ("POST", "/sign-in", {}, 405, "unimplemented", "INVALID_ARGUMENT"),
        ("POST", "/a/b", {"Host": "evil.example"}, 403, "permission_denied", "PERMISSION_DENIED"),
        ("GET", "/", {"Origin": "http://evil.example"}, 403, "permission_denied", "PERMISSION_DENIED"),
        (
            "POST",
            f"{SERVICE}/GetExperiment",
            {"Content-Type": "text/plain"},
            415,
            "invalid_argument",
            "INVALID_ARGUMENT",
        ),
    ],
)
async def test_every_refusal_has_the_same_form(
    port: RunningPort,
    verb: str,
    path: str,
    headers: dict[str, str],
    status: int,
    code: str,
    reason: str,
) -> None:
    def ask() -> tuple[int, str | None, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", port.port, timeout=30)
        try:
            connection.request(verb, path, b"{}", {**_headers(port), **headers})
            response = connection.getresponse()
            if status == 405:
                assert response.getheader("Allow")
            return response.status, response.getheader("content-type"), json.loads(response.read())
        finally:
            connection.close()

    found, content_type, answer = await asyncio.to_thread(ask)
    assert (found, content_type, answer["code"]) == (status, "application/json", code)
    assert answer["message"]
    (detail,) = answer["details"]
    assert detail["debug"] == {"domain": "nni", "reason": reason}


async def test_wrong_content_types_are_refused(port: RunningPort) -> None:
    for path, content_type in (
        (f"{SERVICE}/GetExperiment", STREAM),
        (f"{SERVICE}/GetExperiment", "text/plain"),
        (f"{SERVICE}/GetExperiment", "application/proto"),
        (f"{SERVICE}/WatchExperiment", "application/json"),
    ):
        status, _ = await post(port, path, b"{}", _headers(port, content_type))
        assert status == 415, (path, content_type)


async def test_compressed_messages_are_refused(port: RunningPort) -> None:
    headers = _headers(port, **{"Content-Encoding": "gzip"})
    status, answer = await post(port, f"{SERVICE}/GetExperiment", b"x", headers)
    assert status == 400 and "compressed" in answer["message"]
    body = envelope({"name": NAME}, flags=1)
    status, stream = await post(port, f"{SERVICE}/WatchExperiment", body, _headers(port, STREAM))
    ((flags, end),) = messages(stream)
    assert (status, flags) == (200, 2) and "compressed" in end["error"]["message"]


async def test_an_unknown_call_is_not_found_for_those_who_may_know(port: RunningPort) -> None:
    for path in (f"{SERVICE}/Nothing", "/nni_proto.v1.Nothing/Get", "/a/b"):
        assert (await post(port, path, b"{}", _headers(port)))[0] == 404
        assert (await post(port, path, b"{}", {"Content-Type": "application/json"}))[0] == 401


async def test_a_body_above_the_limit_is_refused(port: RunningPort, monkeypatch) -> None:
    monkeypatch.setattr(rpc_routes, "MESSAGE_LIMIT", 1000)
    assert paging.MESSAGE_LIMIT == 64 * 1024 * 1024
    body = json.dumps({"name": "x" * 1_000_000}).encode()
    status, answer = await post(port, f"{SERVICE}/GetExperiment", body, _headers(port))
    assert status == 400 and "at most 1000" in answer["message"]


async def test_a_time_limit_is_kept(port: RunningPort, monkeypatch) -> None:
    async def never(_experiment_id: str) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(port.experiments, "get", never)
    body = json.dumps({"name": NAME}).encode()
    headers = _headers(port, **{"Connect-Timeout-Ms": "20"})
    status, answer = await post(port, f"{SERVICE}/GetExperiment", body, headers)
    assert (status, answer["code"]) == (504, "deadline_exceeded")
    headers["Connect-Timeout-Ms"] = "soon"
    status, answer = await post(port, f"{SERVICE}/GetExperiment", body, headers)
    assert status == 400 and answer["message"].startswith("connect-timeout-ms")


async def test_a_stream_ends_with_the_experiment(port: RunningPort) -> None:
    body = envelope({"name": NAME})
    watching = asyncio.create_task(post(port, f"{SERVICE}/WatchExperiment", body, _headers(port, STREAM)))
    await port.experiments.start(EXPERIMENT_ID)
    await port.experiments.stop(EXPERIMENT_ID)
    status, stream = await watching
    *changes, (flags, end) = messages(stream)
    assert status == 200 and (flags, end) == (2, {})
    assert changes[-1][1]["experiment"]["status"] == "STATUS_STOPPED"


async def test_a_stream_ends_at_its_time_limit_and_with_its_errors(port: RunningPort) -> None:
    headers = _headers(port, STREAM, **{"Connect-Timeout-Ms": "50"})
    _, stream = await post(port, f"{SERVICE}/WatchExperiment", envelope({"name": NAME}), headers)
    *changes, (flags, end) = messages(stream)
    assert len(changes) == 1 and flags == 2 and end["error"]["code"] == "deadline_exceeded"
    for message, code in (({"name": "experiments/none"}, "not_found"), ({"name": "x"}, "invalid_argument")):
        _, stream = await post(port, f"{SERVICE}/WatchExperiment", envelope(message), _headers(port, STREAM))
        ((flags, end),) = messages(stream)
        assert flags == 2 and end["error"]["code"] == code and end["error"]["details"]


@pytest.mark.parametrize("body", [b"", b"\0\0", b"\0\0\0\0\x05{}", envelope({}) * 2, b'{"name": "x"}'])
async def test_a_stream_needs_exactly_one_message(port: RunningPort, body: bytes) -> None:
    status, stream = await post(port, f"{SERVICE}/WatchExperiment", body, _headers(port, STREAM))
    ((flags, end),) = messages(stream)
    assert (status, flags, end["error"]["code"]) == (200, 2, "invalid_argument")


async def test_a_watch_is_ended_when_the_browser_goes(port: RunningPort, monkeypatch) -> None:
    from nni_manager.server import splitter

    monkeypatch.setattr(splitter, "_HALF_CLOSED_SECONDS", 0.0)
    ended = asyncio.Event()
    original = port.experiments.watch

    async def watch(*arguments: Any) -> AsyncIterator[Any]:
        try:
            async for change in original(*arguments):
                yield change
        finally:
            ended.set()

    monkeypatch.setattr(port.experiments, "watch", watch)

    def look_once() -> None:
        with contextlib.closing(_connection(port)) as connection:
            connection.request(
                "POST", f"{SERVICE}/WatchExperiment", envelope({"name": NAME}), _headers(port, STREAM)
            )
            assert connection.getresponse().read(1) == b"\0"

    await asyncio.to_thread(look_once)
    await asyncio.wait_for(ended.wait(), 30)


async def test_a_client_that_closes_its_sending_side_gets_its_answer(port: RunningPort, monkeypatch) -> None:
    called, answer_now = asyncio.Event(), asyncio.Event()
    get = port.experiments.get

    async def slowly(experiment_id: str) -> Any:
        called.set()
        await answer_now.wait()
        return await get(experiment_id)

    monkeypatch.setattr(port.experiments, "get", slowly)
    reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
    body = json.dumps({"name": NAME})
    head = f"POST {SERVICE}/GetExperiment HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += f"Content-Length: {len(body)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in _headers(port).items())
    writer.write(f"{head}\r\n{body}".encode())
    writer.write_eof()
    await called.wait()
    await asyncio.sleep(0.1)  # time for the end of the request to do harm
    answer_now.set()
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200") and b"STATUS_INITIALIZED" in answer


async def test_http_is_loaded_by_the_first_connection_that_needs_it() -> None:
    import subprocess
    import sys

    program = (
        "import sys, nni_manager.server.manager\nassert not {'uvicorn', 'starlette'} & set(sys.modules)\n"
    )
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], check=True)


async def test_a_large_answer_is_written_in_a_thread(port: RunningPort, monkeypatch) -> None:
    body = json.dumps({"name": NAME}).encode()
    small = await post(port, f"{SERVICE}/GetExperiment", body, _headers(port))
    writers = []

    def written(message: Message) -> bytes:
        writers.append(threading.current_thread() is threading.main_thread())
        return json.dumps(json_format.MessageToDict(message)).encode()

    monkeypatch.setattr(rpc_routes.connect, "written", written)
    for largest, by_main_thread in ((1_000_000, True), (1, False)):
        monkeypatch.setattr(rpc_routes, "_LARGE", largest)
        status, answer = await post(port, f"{SERVICE}/GetExperiment", body, _headers(port))
        assert (status, answer["experiment"]["name"]) == (200, small[1]["experiment"]["name"])
        assert writers.pop() is by_main_thread
