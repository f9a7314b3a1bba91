"""A manager that listens with TLS: what its trials and its clients need, they are given."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nni_client import Experiment
from nni_client.connection import Connection
from nni_client.discovery import find_manager
from nni_client.errors import ManagerUnreachableError
from nni_client.grpc_transport import GrpcTransport
from nni_client.json_transport import JsonTransport
from nni_client.methods import CREATE_EXPERIMENT, GET_EXPERIMENT, START_EXPERIMENT
from nni_client.watch import Watcher
from nni_config import ExperimentConfig
from nni_config.wire import config_to_message
from nni_proto.v1 import experiment_pb2
from nni_proto.v1 import experiment_service_pb2 as pb

NAME = "experiments/secure"

TRIAL = """
import os, pathlib, grpc
from nni_proto import values
from nni_proto.v1 import metric_pb2, trial_runtime_service_pb2 as pb
from nni_proto.v1.trial_runtime_service_pb2_grpc import TrialRuntimeServiceStub

env = os.environ
trusted = grpc.ssl_channel_credentials(pathlib.Path(env["NNI_MANAGER_CA_FILE"]).read_bytes())
options = [("grpc.ssl_target_name_override", env["NNI_MANAGER_TLS_NAME"])]
trial = "experiments/%s/trials/%s" % (env["NNI_EXP_ID"], env["NNI_TRIAL_JOB_ID"])
with grpc.secure_channel(env["NNI_MANAGER_ADDRESS"], trusted, options) as channel:
    stub = TrialRuntimeServiceStub(channel)
    metadata = [("authorization", "Bearer " + env["NNI_TRIAL_TOKEN"])]
    attempt = int(env["NNI_TRIAL_ATTEMPT"])
    asked = stub.GetParameters(pb.GetParametersRequest(trial=trial), metadata=metadata)
    x = values.from_message(asked.parameters)["x"]
    report = metric_pb2.MetricReport(
        kind=metric_pb2.METRIC_KIND_FINAL, reporter="tls", number=0, value=values.to_message(x)
    )
    request = pb.ReportMetricsRequest(trial=trial, attempt=attempt, reports=[report])
    stub.ReportMetrics(request, metadata=metadata)
"""


@pytest.fixture
def certificate(tmp_path) -> Path:
    """A certificate that has a name, and not the address that the manager listens on."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x"
    command += " -addext subjectAltName=DNS:manager.test -out cert.pem -keyout key.pem"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    return tmp_path / "cert.pem"


@pytest.fixture
def told(tmp_path, monkeypatch, certificate: Path) -> Iterator[dict[str, Any]]:
    """A manager with TLS, and what it told when it was ready."""
    runtime = tmp_path / "run"
    runtime.mkdir(0o700)
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(runtime))
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "nni_manager", "--experiments-directory", str(tmp_path / "experiments")]
    command += ["--experiment-id", "secure", "--port", "0", "--ready-fd", str(writing)]
    command += ["--tls-certificate", str(certificate), "--tls-key", str(certificate.with_name("key.pem"))]
    process = subprocess.Popen(command, pass_fds=[writing])
    os.close(writing)
    with os.fdopen(reading) as pipe:
        yield json.load(pipe)
    if process.poll() is None:
        process.terminate()
    assert process.wait(60) == 0


@pytest.fixture
def connection(told: dict[str, Any], tmp_path: Path) -> Connection:
    """A connection to it, with an experiment of one trial."""
    (tmp_path / "trial.py").write_text(TRIAL)
    config = ExperimentConfig("local", trial_command=f"{sys.executable} trial.py", trial_concurrency=1)
    config.trial_code_directory = tmp_path
    config.experiment_working_directory = tmp_path / "experiments"
    config.max_trial_number = 1
    config.search_space = {"x": {"_type": "choice", "_value": [7]}}
    config.tuner.name = "Random"
    connection = Connection(find_manager(told["port"], None, None).address)
    message = config_to_message(config.canonical_copy())
    request = pb.CreateExperimentRequest(request_id=str(uuid.uuid4()), experiment_id="secure", config=message)
    connection.call(CREATE_EXPERIMENT, request)
    return connection


def test_a_trial_with_plain_stubs_reports_by_what_is_in_its_environment(
    connection: Connection, told: dict[str, Any], tmp_path: Path
) -> None:
    assert told["url"].startswith("https://")
    connection.call(START_EXPERIMENT, pb.StartExperimentRequest(name=NAME))
    experiment = Experiment.connect(told["port"])
    with Watcher(connection, NAME) as watcher:
        while (
            change := watcher.next(60.0)
        ) and change.experiment.status != experiment_pb2.Experiment.STATUS_DONE:
            assert watcher.problem is None
    errors = "".join(path.read_text() for path in tmp_path.glob("experiments/secure/trials/*/stderr"))
    assert [result.value for result in experiment.export_data()] == [7], errors
    kept = tmp_path / "experiments" / "secure" / "manager-ca.pem"
    assert kept.read_text() == (tmp_path / "cert.pem").read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    experiment.stop()


@pytest.mark.parametrize("open_transport", [GrpcTransport, JsonTransport])
def test_clients_verify_the_manager(
    connection: Connection, open_transport: Callable[..., Any], certificate: Path
) -> None:
    def get(**changes: str) -> str:
        with closing(open_transport(replace(connection.address, **changes))) as transport:
            request = pb.GetExperimentRequest(name=NAME)
            return str(transport.call(GET_EXPERIMENT, request, 20.0).experiment.name)

    assert get() == NAME
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x"
    command += " -addext subjectAltName=DNS:manager.test -out other.pem -keyout other.key"
    subprocess.run(command.split(), cwd=certificate.parent, check=True, capture_output=True)
    for wrong in ({"ca_file": str(certificate.with_name("other.pem"))}, {"tls_name": "other.test"}):
        with pytest.raises(ManagerUnreachableError):
            get(**wrong)


def test_the_name_of_the_certificate_is_a_host_of_the_page(told: dict[str, Any], certificate: Path) -> None:
    trusted = ssl.create_default_context(cafile=certificate)
    address = ("127.0.0.1", told["port"])
    for host, status in (("manager.test", b"HTTP/1.1 401"), ("other.test", b"HTTP/1.1 403")):
        with trusted.wrap_socket(socket.create_connection(address), server_hostname="manager.test") as end:
            end.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            assert end.recv(12) == status


def test_a_client_elsewhere_names_the_certificates(
    connection: Connection, told: dict[str, Any], certificate: Path
) -> None:
    address = f"127.0.0.1:{told['port']}"
    with pytest.raises(RuntimeError, match="cannot be read"):
        Experiment.connect(address, token=told["token"], experiment_id="secure", ca_file="none.pem")
    with pytest.raises(ManagerUnreachableError):  # the certificate has another name than 127.0.0.1
        Experiment.connect(address, token=told["token"], experiment_id="secure", ca_file=certificate)


@pytest.mark.slow
def test_an_experiment_is_started_and_resumed_with_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNI_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir(0o700)
    (tmp_path / "trial.py").write_text("import nni; nni.report_final_result(nni.get_next_parameter()['x'])")
    config = ExperimentConfig("local", trial_command=f"{sys.executable} trial.py")
    config.trial_code_directory = tmp_path
    config.trial_concurrency = config.max_trial_number = 1
    config.experiment_working_directory = tmp_path / "experiments"
    config.search_space = {"x": {"_type": "choice", "_value": [7]}}
    config.tuner.name = "Random"
    experiment = Experiment(config)
    with pytest.raises(ValueError, match="tls_key: it is not set"):
        experiment.run(port=0, tls_certificate=certificate)
    files = {"tls_certificate": certificate.name, "tls_key": "key.pem"}
    assert experiment.run(port=0, **files) is True
    resumed = Experiment.resume(experiment.id, port=0, wait_completion=False, **files)
    assert isinstance(resumed, Experiment)
    try:
        assert [result.value for result in Experiment.connect(resumed.port).export_data()] == [7]
        with pytest.raises(RuntimeError):
            Experiment.connect(
                f"127.0.0.1:{resumed.port}", token="x", experiment_id=experiment.id
            ).export_data()
    finally:
        resumed.stop()
