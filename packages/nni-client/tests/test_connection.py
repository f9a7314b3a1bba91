"""Calls: tokens, limits, retries, and what each error becomes."""

from __future__ import annotations

import socket
import threading

import grpc
import pytest
from nni_client import errors
from nni_client.address import ManagerAddress
from nni_client.connection import Connection
from nni_client.methods import EXPORT_TRIALS, GET_EXPERIMENT
from nni_proto.v1.error_reason_pb2 import ErrorReason
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.experiment_service_pb2 import (
    ExportTrialsRequest,
    ExportTrialsResponse,
    GetExperimentRequest,
    GetExperimentResponse,
)
from nni_proto.values import to_message

NAME = "experiments/abc"
REASONS = [name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()[1:]]
ANSWER = GetExperimentResponse(experiment=Experiment(name=NAME))


def get(connection, **options):
    return connection.call(GET_EXPERIMENT, GetExperimentRequest(name=NAME), **options).experiment


def test_every_reason_has_an_error_and_no_other():
    assert set(errors.REASONS) == set(REASONS)


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_becomes_its_error(service, connection, refusal, reason):
    service.answer("GetExperiment", refusal(grpc.StatusCode.FAILED_PRECONDITION, "the text", reason))
    with pytest.raises(errors.CallError, match=r"^the text$") as caught:
        get(connection)
    assert type(caught.value) is errors.REASONS[reason]
    assert isinstance(caught.value, RuntimeError)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


@pytest.mark.parametrize("reason", ["INVALID_ARGUMENT", "INVALID_CONFIG", "ALGORITHM_REFUSED"])
def test_faults_of_the_arguments_are_value_errors(reason):
    assert issubclass(errors.REASONS[reason], ValueError)


def test_a_reason_of_a_newer_manager_keeps_its_text(service, connection, refusal):
    service.answer("GetExperiment", refusal(grpc.StatusCode.ABORTED, "what now", "FROM_THE_FUTURE"))
    with pytest.raises(errors.CallError, match=r"^what now$"):
        get(connection)


def test_the_token_is_sent_and_not_shown(service, connection):
    service.answer("GetExperiment", ANSWER)
    assert get(connection).name == NAME
    assert service.metadata[0]["authorization"] == "Bearer the-token"
    assert "the-token" not in repr(service.address)


def test_proxies_are_bypassed(service, connection, monkeypatch):
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    service.answer("GetExperiment", ANSWER)
    assert get(connection).name == NAME


def test_a_broken_connection_is_tried_once_more(service, connection, refusal):
    service.answer("GetExperiment", refusal(grpc.StatusCode.UNAVAILABLE, "gone"), ANSWER)
    assert get(connection).name == NAME
    assert len(service.requests) == 2


def test_twice_unreachable_is_an_error(service, connection, refusal):
    service.answer("GetExperiment", refusal(grpc.StatusCode.UNAVAILABLE, "gone"))
    with pytest.raises(errors.ManagerUnreachableError, match=r"No manager answers at 127.0.0.1:.*gone"):
        get(connection)
    assert len(service.requests) == 2


def test_other_errors_are_not_tried_again(service, connection, refusal):
    service.answer("GetExperiment", refusal(grpc.StatusCode.NOT_FOUND, "no", "EXPERIMENT_NOT_FOUND"))
    with pytest.raises(errors.NotFoundError):
        get(connection)
    assert len(service.requests) == 1


def test_nothing_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(errors.ManagerUnreachableError, match=f"127.0.0.1:{port}"):
        get(Connection(ManagerAddress("127.0.0.1", port, "t")))


def test_a_late_answer_names_call_and_limit(service, connection):
    service.answer("GetExperiment", lambda request: service.ending.wait(30) and ANSWER)
    with pytest.raises(
        errors.CallTimeoutError, match=r"did not answer GetExperiment within 0.2 s.*NNI_CALL_TIMEOUT"
    ):
        get(connection, timeout=0.2)
    assert issubclass(errors.CallTimeoutError, TimeoutError)


def test_the_limit_comes_from_the_environment(service, monkeypatch):
    monkeypatch.setenv("NNI_CALL_TIMEOUT", "0.25")
    service.answer("GetExperiment", lambda request: service.ending.wait(30) and ANSWER)
    with pytest.raises(errors.CallTimeoutError, match=r"within 0.25 s"):
        get(Connection(service.address))


@pytest.mark.parametrize("text", ["soon", "0", "-3", "nan"])
def test_a_wrong_limit_in_the_environment_is_named(service, monkeypatch, text):
    monkeypatch.setenv("NNI_CALL_TIMEOUT", text)
    with pytest.raises(ValueError, match="NNI_CALL_TIMEOUT"):
        Connection(service.address)


def test_a_manager_of_another_version(service, connection):
    with pytest.raises(errors.CallError, match="does not know GetExperiment"):
        get(connection)


def test_large_answers_arrive(service, connection):
    value = to_message("x" * (5 * 1024 * 1024))
    exported = ExportTrialsResponse.ExportedTrial(trial=f"{NAME}/trials/a", parameters=value, value=value)
    service.answer("ExportTrials", ExportTrialsResponse(trials=[exported]))
    page = connection.call(EXPORT_TRIALS, ExportTrialsRequest(parent=NAME))
    assert page.trials[0].value == value


def test_nothing_is_left_between_calls(service, connection):
    service.answer("GetExperiment", ANSWER)
    before = set(threading.enumerate())  # other tests may have left some
    for _ in range(5):
        get(connection)
    new = [thread.name for thread in threading.enumerate() if thread not in before]
    # The pool is the scripted service's.
    assert [name for name in new if "ThreadPoolExecutor" not in name and "serve" not in name] == []
