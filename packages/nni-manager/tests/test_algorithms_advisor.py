"""Advisors by hand, outside an experiment, as people try out theirs."""

from __future__ import annotations

import io
import json
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from nni.runtime.msg_dispatcher import MsgDispatcher
from nni.runtime.msg_dispatcher_base import MsgDispatcherBase
from nni.runtime.tuner_command_channel import CommandType, TunerCommandChannel, legacy
from nni.tuner import Tuner
from nni_manager.algorithms.checking import class_problems
from nni_manager.algorithms.package_utils import AlgoMeta


class Naive(MsgDispatcherBase):
    """Notes what its handlers get."""

    def __init__(self, url: str | None = None) -> None:
        super().__init__(url)
        self.heard: list[Any] = []

    def handle_initialize(self, data: Any) -> None:
        self.heard.append(data)
        self.send(CommandType.Initialized, "")

    def handle_request_trial_jobs(self, data: int) -> None:
        for number in range(data):
            self._channel.send_trial(f"a_{number}", {"x": number})

    def handle_trial_end(self, data: Any) -> None:
        self.heard.append(data)


class Counting(Tuner):
    """Proposes 2, 4, 6, ... and notes results."""

    def __init__(self) -> None:
        self.parameter = 0
        self.results: list[Any] = []

    def generate_parameters(self, parameter_id: int, **kwargs: Any) -> Any:
        self.parameter += 2
        return self.parameter

    def receive_trial_result(self, parameter_id: int, parameters: Any, value: Any, **kwargs: Any) -> None:
        self.results.append((parameters, value, kwargs["customized"]))

    def update_search_space(self, search_space: Any) -> None:
        self.search_space = search_space


@pytest.mark.parametrize("url", [None, "ws://_unittest_placeholder_"])
def test_one_made_by_hand_keeps_what_it_sends(url: str | None) -> None:
    advisor = Naive(url)
    advisor.handle_initialize({"any": 1})
    advisor.handle_request_trial_jobs(2)
    sent = advisor._channel.unsent
    assert [command for command, _ in sent] == [CommandType.Initialized] + 2 * [CommandType.NewTrialJob]
    assert json.loads(sent[2][1])["parameter_id"] == "a_1"
    assert not advisor.default_worker.is_alive() and advisor.default_worker.daemon
    assert (advisor.stopping, advisor.worker_exceptions) == (False, [])
    got: list[Any] = []
    advisor._channel.attach(lambda command, data: got.append(command))
    advisor._channel.send_no_more_trial_jobs()
    assert got == [CommandType.Initialized] + 2 * [CommandType.NewTrialJob] + [CommandType.NoMoreTrialJobs]


def test_one_can_be_pickled_for_the_process_that_runs_it() -> None:
    advisor = Naive()
    advisor.heard.append(1)
    copy = pickle.loads(pickle.dumps(advisor))
    assert copy.heard == [1] and copy._channel is not advisor._channel
    copy.enqueue_command(CommandType.TrialEnd, {})
    assert copy.assessor_command_queue.qsize() == 1 and not copy.assessor_worker.is_alive()


def test_an_address_leads_nowhere() -> None:
    with pytest.raises(
        ConnectionError, match="opens no connection in this version, and so not to ws://localhost"
    ):
        Naive("ws://localhost:8080/tuner")
    TunerCommandChannel("ws://localhost").disconnect()


@pytest.mark.parametrize(
    "name",
    [
        "initialize",
        "request_trial_jobs",
        "update_search_space",
        "import_data",
        "add_customized_trial",
        "report_metric_data",
        "trial_end",
    ],
)
def test_handlers_are_to_be_written(name: str) -> None:
    with pytest.raises(NotImplementedError, match=f"handle_{name} not implemented"):
        getattr(MsgDispatcherBase(), f"handle_{name}")({})


def test_ids_that_are_no_numbers_are_of_no_earlier_life() -> None:
    advisor = Naive()
    advisor.recover_parameter_id([{"parameter_id": 5, "parameters": {}}])
    assert [advisor.is_created_in_previous_exp(one) for one in (5, 6, "0_1_2", None)] == [
        True,
        False,
        False,
        False,
    ]


@pytest.fixture
def pipe() -> Iterator[io.BytesIO]:
    """What an advisor with the older channel reads; it writes into memory."""
    incoming = io.BytesIO()
    legacy._set_out_file(incoming)
    yield incoming
    legacy._set_out_file(None)
    legacy._set_in_file(None)


def begin_reading(incoming: io.BytesIO) -> io.BytesIO:
    """Lets the advisor read what was sent; returns where it writes."""
    incoming.seek(0)
    outgoing = io.BytesIO()
    legacy._set_in_file(incoming)
    legacy._set_out_file(outgoing)
    return outgoing


def test_a_dispatcher_on_a_pipe_does_what_nnis_does(pipe: io.BytesIO) -> None:
    legacy.send(CommandType.Initialize, '{"x": "ä"}')
    legacy.send(CommandType.RequestTrialJobs, "2")
    for parameter_id, value in ((0, "10"), (1, "11"), (None, "22"), (7, "5")):
        result = {"parameter_id": parameter_id, "trial_job_id": "t", "type": "FINAL", "value": value}
        legacy.send(CommandType.ReportMetricData, json.dumps({**result, "sequence": 0}))
    legacy.send(CommandType.UpdateSearchSpace, '{"name": "SS0"}')
    legacy.send(CommandType.NewTrialJob, "null")
    outgoing = begin_reading(pipe)
    tuner = Counting()
    dispatcher = MsgDispatcher("ws://_unittest_placeholder_", tuner)
    dispatcher._channel = legacy.LegacyCommandChannel()  # type: ignore[assignment]  # as NNI's own tests do
    dispatcher.run()
    (failure,) = dispatcher.worker_exceptions
    assert (
        isinstance(failure, AssertionError)
        and failure.args[0] == "Unsupported command: CommandType.NewTrialJob"
    )
    assert tuner.results == [(2, 10, False), (4, 11, False)]
    assert tuner.search_space == {"name": "SS0"}
    outgoing.seek(0)
    legacy._set_in_file(outgoing)
    assert legacy.receive() == (CommandType.Initialized, "")
    command, data = legacy.receive()
    assert command is CommandType.NewTrialJob and data is not None
    assert json.loads(data) == {
        "parameter_id": 0,
        "parameter_source": "algorithm",
        "parameters": 2,
        "parameter_index": 0,
    }
    assert legacy.receive()[0] is CommandType.NewTrialJob
    assert legacy.receive() == (None, None)


def test_what_waits_is_dealt_with_before_the_end(pipe: io.BytesIO) -> None:
    legacy.send(CommandType.Initialize, "1")
    for number in range(30):
        legacy.send(CommandType.TrialEnd, str(number))
    legacy.send(CommandType.Terminate, "")
    begin_reading(pipe)
    advisor = Naive()
    advisor._channel = legacy.LegacyCommandChannel()  # type: ignore[assignment]  # as NNI's own tests do
    advisor.run()
    assert sorted(advisor.heard) == sorted([1, *range(30)]) and advisor.stopping
    assert threading.active_count() >= 1 and not advisor.assessor_worker.is_alive()


@pytest.mark.parametrize(
    ("algo_type", "is_advisor", "class_name", "problem"),
    [
        ("tuner", True, "MsgDispatcherBase", ""),
        ("tuner", False, "MsgDispatcherBase", ""),
        ("assessor", False, "MsgDispatcherBase", "is an advisor; allowed are algoType advisor and tuner"),
        ("tuner", True, "CommandType", "is no advisor: it should subclass nni.runtime.msg_dispatcher_base."),
    ],
)
def test_what_is_registered_as_an_advisor_is_one(
    algo_type: str, is_advisor: bool, class_name: str, problem: str
) -> None:
    path = f"nni_manager.algorithms.advisor.base.{class_name}"
    meta = AlgoMeta("Mine", None, path, True, None, None, algo_type, is_advisor, False, None)
    problems = class_problems(meta)
    assert len(problems) == bool(problem) and problem in "".join(problems)
