from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import uuid
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from nni_manager.server import listener as module
from nni_manager.server.addresses import local_address, page_url, reachable_host
from nni_manager.server.arguments import parse_arguments
from nni_manager.server.listener import listen
from nni_manager.server.problems import StartProblem
from nni_manager.testing.running_port import EXPERIMENT_ID, RunningPort, example_config, running_port
from nni_proto.v1 import experiment_service_pb2 as pb
from nni_proto.v1.experiment_service_pb2_grpc import ExperimentServiceStub


async def _http(port: int, tls: ssl.SSLContext | None = None) -> bytes:
    name = "localhost" if tls else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name)
    if tls:
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


async def _create(channel: grpc.aio.Channel, port: RunningPort) -> str:
    stub: Any = ExperimentServiceStub(channel)
    request = pb.CreateExperimentRequest(request_id=str(uuid.uuid4()), config=example_config())
    metadata = [("authorization", f"Bearer {port.tokens.manager()}")]
    return (await stub.CreateExperiment(request, metadata=metadata, timeout=30)).experiment.name


async def test_the_same_port_twenty_times() -> None:
    number = 0
    for _ in range(20):
        async with running_port(port=number) as port:
            assert number in (0, port.port)
            number = port.port
            assert b"401" in await _http(number)
            async with grpc.aio.insecure_channel(f"127.0.0.1:{number}") as channel:
                assert await _create(channel, port) == f"experiments/{EXPERIMENT_ID}"


async def test_a_hundred_calls_at_once_by_grpc_and_http() -> None:
    async def get(port: RunningPort) -> str:
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port.port}", options=options) as channel:
            stub: Any = ExperimentServiceStub(channel)
            call = stub.GetExperiment(pb.GetExperimentRequest(name="experiments/none"), timeout=60)
            return (await call.code()).name

    async with running_port() as port:
        calls: list[Awaitable[Any]] = [get(port) for _ in range(50)]
        calls += [_http(port.port) for _ in range(50)]
        answers = await asyncio.gather(*calls)
    assert answers[:50] == ["UNAUTHENTICATED"] * 50
    assert all(answer.startswith(b"HTTP/1.1 401") for answer in answers[50:])


@pytest.fixture
def certificate(tmp_path) -> tuple[str, str]:
    paths = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    )
    command += f" -addext subjectAltName=DNS:localhost -out {paths[0]} -keyout {paths[1]}"
    subprocess.run(command.split(), check=True, capture_output=True)
    return paths


async def test_tls_for_grpc_and_http_on_one_port(certificate) -> None:
    cert, key = certificate
    words = ["--experiments-directory", "x", "--tls-certificate", cert, "--tls-key", key]
    async with running_port(tls=parse_arguments(words).tls()) as port:
        client = ssl.create_default_context(cafile=cert)
        client.set_alpn_protocols(["h2", "http/1.1"])  # as browsers do
        assert (await _http(port.port, client)).startswith(b"HTTP/1.1 401")
        credentials = grpc.ssl_channel_credentials(Path(cert).read_bytes())
        async with grpc.aio.secure_channel(f"localhost:{port.port}", credentials) as channel:
            assert await _create(channel, port) == f"experiments/{EXPERIMENT_ID}"
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readexactly(100)
        writer.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_may_connect_only_by_tls_or_by_a_waiver(host: str) -> None:
    with pytest.raises(StartProblem, match="--allow-plaintext"):
        listen(host, 0, encrypted=False)
    listen(host, 0, encrypted=True).close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_loopback_needs_no_waiver(host: str) -> None:
    listen(host, 0, encrypted=False).close()


def test_a_port_of_another_user_is_busy_too(monkeypatch) -> None:
    monkeypatch.setattr(module, "_program", lambda _port: "another program")
    in_use = pytest.raises(StartProblem, match="in use by another program; choose another port")
    with socket.create_server(("127.0.0.1", 0)) as other, in_use:
        listen("127.0.0.1", other.getsockname()[1], encrypted=False)


def test_addresses() -> None:
    assert page_url("127.0.0.1", 8080, "", secure=False) == "http://127.0.0.1:8080/"
    assert page_url("::1", 1, "a/b", secure=True) == "https://[::1]:1/a/b/"
    assert local_address("0.0.0.0", 5) == "127.0.0.1:5"
    assert local_address("::", 5) == "[::1]:5"
    assert reachable_host("localhost", "127.0.0.1") == "localhost"
    assert reachable_host("0.0.0.0", "0.0.0.0") == socket.gethostname()
