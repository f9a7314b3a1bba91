"""Following an experiment: nothing missed, nothing twice, an end whenever it is wanted."""

from __future__ import annotations

import time

import grpc
import pytest
from nni_client import connection as connection_module
from nni_client import watch
from nni_client.errors import ManagerUnreachableError, NotFoundError
from nni_client.watch import Watcher
from nni_proto.v1.experiment_pb2 import Experiment
from nni_proto.v1.experiment_service_pb2 import (
    GetExperimentResponse,
    ListTrialsResponse,
    WatchExperimentResponse,
)
from nni_proto.v1.trial_pb2 import Trial

NAME = "experiments/abc"


def change(revision):
    return WatchExperimentResponse(revision=revision, experiment=Experiment(name=NAME, revision=revision))


def take(watcher, count):
    deadline = time.monotonic() + 30
    revisions = []
    while len(revisions) < count and time.monotonic() < deadline:
        received = watcher.next(0.1)
        if received is not None:
            revisions.append(received.revision)
    return revisions


def test_a_broken_stream_is_taken_up_where_it_was(service, connection, refusal):
    gone = refusal(grpc.StatusCode.UNAVAILABLE, "gone")
    service.answer(
        "WatchExperiment",
        [change(1), change(4), gone],
        [gone],
        [change(5)],
        lambda request: iter([change(9)]),
    )
    with Watcher(connection, NAME) as watcher:
        assert take(watcher, 4) == [1, 4, 5, 9]
    after = [request.after_revision for request in service.calls("WatchExperiment")]
    assert after[:4] == [0, 4, 4, 5]
    assert service.calls("WatchExperiment")[0].name == NAME


def test_the_problem_is_known_while_it_lasts(service, connection, refusal):
    gone = refusal(grpc.StatusCode.UNAVAILABLE, "gone")
    service.answer("WatchExperiment", [gone])
    with Watcher(connection, NAME) as watcher:
        deadline = time.monotonic() + 30
        while watcher.problem is None and time.monotonic() < deadline:
            assert watcher.next(0.01) is None
        assert isinstance(watcher.problem, ManagerUnreachableError)
        service.answer("WatchExperiment", [change(1)])
        assert take(watcher, 1) == [1]
        assert watcher.problem is None


def test_a_refusal_is_raised(service, connection, refusal):
    service.answer("WatchExperiment", [refusal(grpc.StatusCode.NOT_FOUND, "no abc", "EXPERIMENT_NOT_FOUND")])
    with Watcher(connection, NAME) as watcher, pytest.raises(NotFoundError, match="no abc"):
        take(watcher, 1)
    assert len(service.calls("WatchExperiment")) == 1


def test_an_old_stream_is_opened_anew(service, connection, monkeypatch):
    monkeypatch.setattr(watch, "_STREAM_SECONDS", 0.2)

    def quiet(request):
        yield change(request.after_revision + 1)
        service.ending.wait(30)

    service.answer("WatchExperiment", quiet)
    with Watcher(connection, NAME) as watcher:
        assert take(watcher, 3) == [1, 2, 3]


def test_it_ends_while_nothing_comes(service, connection):
    def quiet(request):
        yield change(1)
        service.ending.wait(30)

    service.answer("WatchExperiment", quiet)
    with Watcher(connection, NAME) as watcher:
        assert take(watcher, 1) == [1]
    assert not service.ending.is_set()


def test_it_ends_while_more_comes_than_is_read(service, connection):
    service.answer("WatchExperiment", lambda request: (change(n) for n in range(1, 100_000)))
    with Watcher(connection, NAME) as watcher:
        assert take(watcher, 1) == [1]


def test_a_forked_process_asks_again_and_again(service, connection, monkeypatch):
    monkeypatch.setattr(connection_module, "_grpc_process", -1)
    assert not connection_module.grpc_is_safe()
    monkeypatch.setattr(watch, "_POLL_SECONDS", 0.01)
    # The calls themselves go over gRPC here: what is tested is the asking.
    monkeypatch.setattr(connection_module, "_transport", connection_module.grpc_transport)
    monkeypatch.setattr(watch, "grpc_is_safe", lambda: False)
    service.answer(
        "GetExperiment",
        *(GetExperimentResponse(experiment=Experiment(name=NAME, revision=n)) for n in (3, 3, 8, 8)),
    )
    service.answer("ListTrials", ListTrialsResponse(trials=[Trial(name=f"{NAME}/trials/t")]))
    with Watcher(connection, NAME) as watcher:
        assert take(watcher, 2) == [3, 8]
