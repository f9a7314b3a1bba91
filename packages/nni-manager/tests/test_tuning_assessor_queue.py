"""What waits for a slow assessor, and what it is called for."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest
from nni_manager.engine.effects import TellIntermediateResult, TellTrialEnd
from nni_manager.engine.statuses import TrialStatus
from nni_manager.tuning.assessor_dispatcher import AssessorDispatcher
from nni_manager.tuning.assessor_queue import AssessorQueue
from nni_manager.tuning.requests import history_ends_request, request_of, terminate_request
from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse, HistoryTaken


class FakeChannel:
    """A channel whose requests the test puts in, None or an exception for the end."""

    def __init__(self) -> None:
        self.requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.sent: list[AlgorithmResponse] = []

    def receive(self) -> AlgorithmRequest | None:
        request = self.requests.get()
        if isinstance(request, Exception):
            raise request
        return request  # type: ignore[no-any-return]

    def send(self, response: AlgorithmResponse) -> None:
        self.sent.append(response)


class Assessor:
    """Notes its calls; `during` is called in each."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int] | str] = []
        self.during: Callable[[], None] = lambda: None

    def assess_trial(self, trial_job_id: str, trial_history: list[Any]) -> bool:
        self.calls.append((trial_job_id, len(trial_history)))
        self.during()
        return True

    def trial_end(self, trial_job_id: str, success: bool) -> None:
        self.calls.append(f"end of {trial_job_id}")


class Stage:
    """A queue with a clock that stands still."""

    def __init__(self, *, has_history: bool = False) -> None:
        self.now = 0.0
        self.number = 0
        self.assessor = Assessor()
        self.channel = FakeChannel()
        dispatcher = AssessorDispatcher(self.assessor, self.channel.send)
        self.queue = AssessorQueue(
            dispatcher,
            self.channel,  # type: ignore[arg-type]
            has_history=has_history,
            clock=lambda: self.now,
        )

    def request(self, call: Any) -> AlgorithmRequest:
        self.number += 1
        request = request_of(call)
        request.number = self.number
        return request

    def result(self, trial_id: str, index: int) -> AlgorithmRequest:
        return self.request(TellIntermediateResult(trial_id, 0, index, float(index)))

    def end(self, trial_id: str) -> AlgorithmRequest:
        return self.request(TellTrialEnd(0, trial_id, 0, TrialStatus.SUCCEEDED))

    def finish(self) -> None:
        """Lets the assessor do what waits, and end."""
        self.channel.requests.put(terminate_request())
        self.queue.serve()


def until(condition: Callable[[], bool]) -> None:
    """Waits for what another thread does."""
    waiting = threading.Event()
    while not condition():
        waiting.wait(0.005)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_one_that_keeps_up_is_called_for_every_result(stage: Stage) -> None:
    for index in range(3):
        for trial_id in "ab":
            stage.channel.requests.put(stage.result(trial_id, index))
    stage.channel.requests.put(stage.end("a"))
    stage.finish()
    assert stage.assessor.calls == [*((trial_id, n) for n in (1, 2, 3) for trial_id in "ab"), "end of a"]
    assert [response.processed.number for response in stage.channel.sent] == list(range(1, 8))


def test_one_that_is_behind_judges_the_newest_results_of_what_runs(stage: Stage) -> None:
    for index in range(3):
        for trial_id in ("a", "b", "ended"):
            stage.queue.add(stage.result(trial_id, index))
    stage.now = 6.0
    for index in range(3, 1000):
        stage.queue.add(stage.result("a", index))
        stage.queue.add(stage.result("c", index - 3))
    stage.queue.add(stage.end("ended"))
    assert len(stage.queue) == 9 + 1 + 1  # What waited before, one of the new trial, an end.
    stage.finish()
    assert stage.assessor.calls == [("a", 1000), ("b", 3), ("c", 997)]
    stage.queue.add(stage.result("a", 1000))
    stage.finish()
    assert stage.assessor.calls[3:] == [("a", 1001)]


def test_it_is_called_for_every_result_again_once_it_has_caught_up(stage: Stage) -> None:
    stage.queue.add(stage.result("a", 0))
    stage.now = 6.0
    stage.queue.add(stage.result("a", 1))
    stage.finish()
    for index in (2, 3):
        stage.queue.add(stage.result("a", index))
    stage.finish()
    assert stage.assessor.calls == [("a", 2), ("a", 3), ("a", 4)]


def test_results_are_taken_while_it_judges(stage: Stage) -> None:
    """Nobody waits for it, and what waits for it stays small."""
    goes_on = threading.Event()

    def hang() -> None:
        stage.now += 6.0
        stage.assessor.during = lambda: None
        for index in range(1, 5000):
            stage.channel.requests.put(stage.result("a", index))
        stage.channel.requests.put(terminate_request())
        assert goes_on.wait(60)

    stage.assessor.during = hang
    stage.channel.requests.put(stage.result("a", 0))
    server = threading.Thread(target=stage.queue.serve)
    server.start()
    until(lambda: stage.queue.has_ended)
    assert len(stage.queue) == 1
    goes_on.set()
    server.join(60)
    assert stage.assessor.calls == [("a", 1), ("a", 5000)]


def test_nothing_is_judged_any_more_when_the_manager_has_gone(stage: Stage) -> None:
    def go() -> None:
        stage.channel.requests.put(None)
        until(lambda: stage.queue.has_ended)

    stage.assessor.during = go
    for index in range(2):
        stage.channel.requests.put(stage.result("a", index))
    stage.queue.serve()
    assert stage.assessor.calls == [("a", 1)]


def test_a_history_is_taken_while_the_assessor_still_judges_it() -> None:
    """A resume does not wait for a slow assessor."""
    stage = Stage(has_history=True)

    def hang() -> None:
        stage.now += 6.0
        stage.assessor.during = lambda: None
        stage.channel.requests.put(history_ends_request())
        until(lambda: bool(stage.channel.sent))
        stage.channel.requests.put(stage.result("runs", 2))
        stage.channel.requests.put(terminate_request())
        until(lambda: stage.queue.has_ended)

    stage.assessor.during = hang
    for index in range(3):
        stage.channel.requests.put(stage.result("ended", index))
    stage.channel.requests.put(stage.end("ended"))
    for index in range(2):
        stage.channel.requests.put(stage.result("runs", index))
    stage.queue.serve()
    assert stage.assessor.calls == [("ended", 1), "end of ended", ("runs", 3)]
    first, *others = stage.channel.sent
    assert first.history_taken.way == HistoryTaken.WAY_REPLAYED
    # What is judged again is no sign of a life that works.
    assert [response.processed.number for response in others] == [7]


def test_a_fast_assessor_judges_its_whole_history() -> None:
    stage = Stage(has_history=True)
    for index in range(3):
        stage.channel.requests.put(stage.result("a", index))
    stage.channel.requests.put(stage.end("a"))
    stage.channel.requests.put(history_ends_request())
    stage.finish()
    assert stage.assessor.calls == [("a", 1), ("a", 2), ("a", 3), "end of a"]
    assert len(stage.channel.sent) == 1


def test_what_fails_in_either_thread_is_raised(stage: Stage) -> None:
    stage.channel.requests.put(ValueError("not the protocol"))
    with pytest.raises(ValueError, match="not the protocol"):
        stage.queue.serve()
    other = Stage()
    other.assessor.during = lambda: {}["missing"]
    other.channel.requests.put(other.result("a", 0))
    other.channel.requests.put(terminate_request())
    with pytest.raises(KeyError, match="missing"):
        other.queue.serve()
