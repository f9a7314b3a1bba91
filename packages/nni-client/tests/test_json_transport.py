"""Calls over HTTP, for processes where gRPC is not safe. The server is a plain one that answers as told."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.rpc import error_details_pb2
from nni_client import errors
from nni_client.address import ManagerAddress
from nni_client.json_transport import JsonTransport
from nni_client.methods import GET_TRIAL
from nni_proto.v1.experiment_service_pb2 import GetTrialRequest

NAME = "experiments/abc/trials/t"


@pytest.fixture
def server():
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.requests.append((self.path, dict(self.headers), json.loads(body)))
            server.released.wait(30)
            status, answer = server.answer
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError):
                self.wfile.write(answer)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.answer, server.released = [], (200, b"{}"), threading.Event()
    server.released.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def transport(server):
    transport = JsonTransport(ManagerAddress("127.0.0.1", server.server_address[1], "the-token"))
    yield transport
    transport.close()


def call(transport, timeout=20.0):
    return transport.call(GET_TRIAL, GetTrialRequest(name=NAME), timeout).trial


def test_an_answer(server, transport):
    server.answer = (
        200,
        json.dumps({"trial": {"name": NAME, "parameterId": "7", "fromTheFuture": 1}}).encode(),
    )
    for _ in range(2):
        trial = call(transport)
        assert (trial.name, trial.parameter_id) == (NAME, 7)
    path, headers, body = server.requests[0]
    assert path == "/nni_proto.v1.ExperimentService/GetTrial"
    assert headers["Authorization"] == "Bearer the-token"
    assert headers["Content-Type"] == "application/json"
    assert body == {"name": NAME}


def test_an_error_with_its_reason(server, transport):
    info = error_details_pb2.ErrorInfo(domain="nni", reason="TRIAL_NOT_FOUND")
    detail = {
        "type": "google.rpc.ErrorInfo",
        "value": base64.b64encode(info.SerializeToString()).decode().rstrip("="),
    }
    server.answer = 404, json.dumps({"code": "not_found", "message": "no t", "details": [detail]}).encode()
    with pytest.raises(errors.NotFoundError, match=r"^no t$"):
        call(transport)


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>proxy error</html>",
        b"[]",
        b'{"code": "internal"}',
        b'{"details": [{"type": "google.rpc.ErrorInfo", "value": "!"}]}',
        b'{"details": [3]}',
    ],
)
def test_an_error_of_something_else(server, transport, answer):
    server.answer = 502, answer
    with pytest.raises(errors.CallError, match=r"GetTrial failed at 127\.0\.0\.1"):
        call(transport)


def test_a_late_answer(server, transport):
    server.released.clear()
    with pytest.raises(errors.CallTimeoutError, match=r"GetTrial within 0\.2 s"):
        call(transport, 0.2)


def test_nobody_there():
    lost = JsonTransport(ManagerAddress("127.0.0.1", 1, "t"))
    with pytest.raises(errors.ManagerUnreachableError, match=r"127\.0\.0\.1:1:"):
        call(lost)
