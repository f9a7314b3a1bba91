"""A manager that answers what a test tells it to, within the test's process and as a process of its own."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from nni_client.address import ManagerAddress
from nni_client.connection import Connection
from nni_client.grpc_transport import MESSAGE_LIMIT
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1 import experiment_service_pb2_grpc

_SERVICE = pb.DESCRIPTOR.services_by_name["ExperimentService"]


class Refusal(Exception):  # noqa: N818 - it is an answer
    """An answer that is an error of the protocol, or of gRPC itself when it has no reason."""

    def __init__(self, code: grpc.StatusCode, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.reason = code, message, reason

    def send(self, context: grpc.ServicerContext) -> None:
        if self.reason is None:
            context.abort(self.code, self.message)
        detail = AnyMessage()
        detail.Pack(error_details_pb2.ErrorInfo(domain="nni", reason=self.reason))
        code = code_pb2.Code.Value(self.code.name)
        status = status_pb2.Status(code=code, message=self.message, details=[detail])
        context.abort_with_status(rpc_status.to_status(status))


class ScriptedService:
    """Answers each call with the next answer of its script, and with the last one again and again.

    An answer is a message (for a stream: several), a Refusal, or a function of the request that returns them.
    """

    def __init__(self) -> None:
        self.script: dict[str, list[Any]] = defaultdict(list)
        self.requests: list[Any] = []
        self.metadata: list[dict[str, str]] = []
        self.ending = threading.Event()

    def answer(self, method: str, *answers: Any) -> None:
        self.script[method] = list(answers)

    def calls(self, method: str) -> list[Any]:
        request_type = _SERVICE.methods_by_name[method].input_type.name
        return [request for request in self.requests if type(request).__name__ == request_type]

    def __call__(self, method: str, request: Any, context: grpc.ServicerContext) -> Any:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        answers = self.script[method]
        if not answers:
            Refusal(grpc.StatusCode.UNIMPLEMENTED, f"no answer to {method} in the script").send(context)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Refusal):
            answer.send(context)
        return answer


def _handlers(service: ScriptedService) -> type[experiment_service_pb2_grpc.ExperimentServiceServicer]:
    def unary(name: str) -> Callable[..., Any]:
        return lambda self, request, context: service(name, request, context)

    def stream(name: str) -> Callable[..., Any]:
        def handle(self: Any, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            for answer in service(name, request, context):
                if isinstance(answer, Refusal):
                    answer.send(context)
                yield answer

        return handle

    kinds = {
        name: stream(name) if method.server_streaming else unary(name)
        for name, method in _SERVICE.methods_by_name.items()
    }
    return type("Scripted", (experiment_service_pb2_grpc.ExperimentServiceServicer,), kinds)


@pytest.fixture
def refusal() -> type[Refusal]:
    return Refusal


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    """A scripted service; `service.address` is where it listens."""
    service = ScriptedService()
    server = grpc.server(
        ThreadPoolExecutor(8),
        options=[
            ("grpc.max_receive_message_length", MESSAGE_LIMIT),
            ("grpc.max_send_message_length", MESSAGE_LIMIT),
        ],
    )
    experiment_service_pb2_grpc.add_ExperimentServiceServicer_to_server(_handlers(service)(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    service.address = ManagerAddress("127.0.0.1", port, "the-token")  # type: ignore[attr-defined]
    service.stop = lambda: server.stop(None).wait()  # type: ignore[attr-defined]
    yield service
    service.ending.set()
    server.stop(None).wait()


@pytest.fixture
def connection(service: Any) -> Connection:
    return Connection(service.address, timeout=20.0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder and a runtime folder of the test's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(tmp_path / "runtime"))
    for name in (
        "NNI_CONFIG_DIR",
        "XDG_CONFIG_HOME",
        "SSH_CONNECTION",
        "NNI_CALL_TIMEOUT",
        "NNI_START_TIMEOUT",
    ):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def fake_manager(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes `python -m nni_manager` run the program in fake_manager/, told what to do by the arguments."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "fake_manager"))

    def tell(**behaviour: Any) -> None:
        monkeypatch.setenv("FAKE_MANAGER", json.dumps(behaviour))

    tell()
    return tell


@pytest.fixture
def make_experiment(home: Path) -> Callable[..., Any]:
    """Makes an experiment that can be started; where it goes is `home`/experiments unless said otherwise."""
    from nni_client import Experiment

    def make(directory: Path | None = None, **options: Any) -> Experiment:
        experiment = Experiment("local", **options)
        config = experiment.config
        config.experiment_working_directory = directory or home / "experiments"
        config.trial_concurrency = 1
        config.trial_command = "true"
        config.trial_code_directory = home
        config.search_space = {"x": {"_type": "uniform", "_value": [0, 1]}}
        config.tuner.name = "Random"
        return experiment

    return make
