"""Advisors in their process, as the manager sees them."""

from __future__ import annotations

import asyncio
import json
import math
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from nni_manager.engine.effects import (
    RequestParameters,
    TellFinalResult,
    TellImportedTrials,
    TellIntermediateResult,
    TellSearchSpace,
    TellTrialEnd,
)
from nni_manager.engine.events import (
    AlgorithmFailed,
    ParametersProposed,
    ParametersRefused,
    TrialJudgedBad,
    TunerProcessed,
)
from nni_manager.engine.statuses import TrialStatus
from nni_manager.tuning.algorithm_process import AlgorithmProcess
from nni_manager.tuning.interface import AlgorithmError, AlgorithmSettings, History, RebuildWay, Rebuilt

HEADER = """
import json, os, threading, time
from nni.runtime.msg_dispatcher_base import MsgDispatcherBase
from nni.runtime.tuner_command_channel import CommandType
from nni.tuner import Tuner

class Base(MsgDispatcherBase):
    # Sends what it was asked for under ids of its own; asked for 9 it sends all the calls it has had.
    def __init__(self, **args):
        super().__init__()
        self.calls, self.count, self.args = [], 0, args
    def new(self, **parameters):
        self.count += 1
        record = {
            "parameter_id": f"own_{self.count}",
            "parameter_source": "algorithm",
            "parameters": parameters or {"x": self.count},
        }
        self.send(CommandType.NewTrialJob, json.dumps(record))
    def handle_initialize(self, data):
        self.calls.append(["space", data])
        self.send(CommandType.Initialized, "")
    def handle_request_trial_jobs(self, data):
        self.calls.append(["ask", data])
        if data == 9:
            self.new(calls=self.calls[:-1])
        else:
            for _ in range(data):
                self.new()
    def handle_update_search_space(self, data):
        self.calls.append(["space", data])
    def handle_import_data(self, data):
        self.calls.append(["import", data])
    def handle_add_customized_trial(self, data):
        self.calls.append(["add", data])
    def handle_report_metric_data(self, data):
        self.calls.append(["metric", data])
    def handle_trial_end(self, data):
        self.calls.append(["end", data])
"""

Make = Callable[..., tuple[AlgorithmProcess, "asyncio.Queue[Any]"]]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes the class My of some code, with the queue of what it emits."""
    processes: list[AlgorithmProcess] = []

    def made(
        code: str = "class My(Base): pass", **settings: Any
    ) -> tuple[AlgorithmProcess, asyncio.Queue[Any]]:
        (tmp_path / "code").mkdir(exist_ok=True)
        (tmp_path / "code" / "mine.py").write_text(HEADER + textwrap.dedent(code))
        events: asyncio.Queue[Any] = asyncio.Queue()
        chosen: dict[str, Any] = {
            "kind": "tuner",
            "name": None,
            "class_name": "mine.My",
            "code_directory": str(tmp_path / "code"),
            "class_args": None,
            "search_space": ["any", "JSON"],
            "optimize_mode": "minimize",
            "log_directory": tmp_path / "log",
            "checkpoint_directory": tmp_path / "checkpoint",
            **settings,
        }
        processes.append(AlgorithmProcess(AlgorithmSettings(**chosen), events.put_nowait))
        return processes[-1], events

    yield made
    for process in processes:
        await process.close()


def log_of(process: AlgorithmProcess) -> str:
    return (process._settings.log_directory / "dispatcher.log").read_text()


def proposed(parameter_id: int, parameters: Any) -> ParametersProposed:
    return ParametersProposed(parameter_id, parameters, 0.0)


async def until_processed(events: asyncio.Queue[Any], number: int) -> list[Any]:
    """Returns the events up to and without the one that a call was processed."""
    found = []
    while not (isinstance(event := await events.get(), TunerProcessed) and event.number == number):
        assert not isinstance(event, AlgorithmFailed), event.traceback
        found.append(event)
    return found


async def tell(process: AlgorithmProcess, events: asyncio.Queue[Any], call: Any) -> list[Any]:
    """Tells something and returns what is answered, proposals as (id, parameters)."""
    process.tell(call)
    return [
        (one.parameter_id, one.parameters) if isinstance(one, ParametersProposed) else one
        for one in await until_processed(events, call.number)
    ]


async def calls_of(process: AlgorithmProcess, events: asyncio.Queue[Any], number: int) -> list[Any]:
    answers = await tell(process, events, RequestParameters(number, tuple(range(1000, 1009))))
    return answers[0][1]["calls"]


def final(number: int, parameter_id: int | None, value: Any, trial: str = "t0") -> TellFinalResult:
    return TellFinalResult(number, trial, parameter_id, {"x": 1}, value, customized=parameter_id is None)


def record(own_id: Any, x: int) -> str:
    return json.dumps({"parameter_id": own_id, "parameter_source": "algorithm", "parameters": {"x": x}})


async def test_every_handler_gets_what_nni_gives_it(make: Make) -> None:
    process, events = make(class_args={"depth": 3})
    assert await process.start() is None
    assert process.hears_intermediate_results
    assert await tell(process, events, RequestParameters(1, (0, 1))) == [(0, {"x": 1}), (1, {"x": 2})]
    for call in (
        TellIntermediateResult("t0", 0, 0, {"default": 0.5, "é": [1]}, 2),
        TellIntermediateResult("t0", 0, 1, math.nan, 3),
        final(4, 1, 0.25, "t1"),
        TellTrialEnd(5, "t1", 1, TrialStatus.SUCCEEDED),
        TellTrialEnd(6, "t0", 0, TrialStatus.USER_CANCELED),
        TellSearchSpace(7, {}),
        TellImportedTrials(8, ({"parameter": {"a": 1}, "value": 2},)),
        final(9, None, "text", "t2"),
        TellTrialEnd(10, "t2", None, TrialStatus.FAILED),
    ):
        assert await tell(process, events, call) == []
    about = {"parameter_id": "own_1", "trial_job_id": "t0", "type": "PERIODICAL"}
    unknown = {"parameter_id": None, "parameter_source": "customized", "parameters": None}
    assert await calls_of(process, events, 11) == [
        ["space", ["any", "JSON"]],
        ["ask", 2],
        ["metric", {**about, "sequence": 0, "value": '{"default": 0.5, "é": [1]}'}],
        ["metric", {**about, "sequence": 1, "value": "NaN"}],
        [
            "metric",
            {"parameter_id": "own_2", "trial_job_id": "t1", "type": "FINAL", "sequence": 0, "value": "0.25"},
        ],
        ["end", {"trial_job_id": "t1", "event": "SUCCEEDED", "hyper_params": record("own_2", 2)}],
        ["end", {"trial_job_id": "t0", "event": "USER_CANCELED", "hyper_params": record("own_1", 1)}],
        ["space", {}],
        ["import", [{"parameter": {"a": 1}, "value": 2}]],
        [
            "metric",
            {"parameter_id": None, "trial_job_id": "t2", "type": "FINAL", "sequence": 0, "value": '"text"'},
        ],
        ["end", {"trial_job_id": "t2", "event": "FAILED", "hyper_params": json.dumps(unknown)}],
    ]


async def test_more_trials_than_were_asked_for_answer_the_next_requests(make: Make) -> None:
    process, events = make(
        """
        class My(Base):
            def handle_request_trial_jobs(self, data):
                for _ in range(data + 3):
                    self.new(asked=data)
        """
    )
    await process.start()
    assert await tell(process, events, RequestParameters(1, (0,))) == [(0, {"asked": 1})]
    assert await tell(process, events, RequestParameters(2, (1, 2))) == [(1, {"asked": 1}), (2, {"asked": 1})]
    # One is left: the advisor is asked for the other alone.
    assert await tell(process, events, RequestParameters(3, (3, 4))) == [(3, {"asked": 1}), (4, {"asked": 1})]


LATER = """
class My(Base):
    # Sends nothing when it is asked, and later as many as a result says.
    def handle_request_trial_jobs(self, data):
        self.calls.append(["ask", data])
        if self.args.get("says"):
            self.send(CommandType.NoMoreTrialJobs, "")
    def handle_report_metric_data(self, data):
        value = json.loads(data["value"])
        for _ in range(value or 1):
            self.new(**({} if value else {"calls": self.calls}))
"""


async def test_what_is_sent_later_answers_what_was_asked_for_before(make: Make) -> None:
    process, events = make(LATER)
    await process.start()
    assert await tell(process, events, RequestParameters(1, (0, 1))) == []
    assert "My owes 2 trials that it was asked for: the experiment waits" in log_of(process)
    assert await tell(process, events, final(2, None, 1)) == [(0, {"x": 1})]
    assert await tell(process, events, RequestParameters(3, (2, 3))) == []
    assert "My owes 3 trials" in log_of(process)
    assert await tell(process, events, final(4, None, 4)) == [(1, {"x": 2}), (2, {"x": 3}), (3, {"x": 4})]
    assert await tell(process, events, RequestParameters(5, (4,))) == [(4, {"x": 5})]


async def test_no_more_trials_refuses_what_is_open_and_what_comes_still_answers_it(make: Make) -> None:
    process, events = make(LATER, class_args={"says": True})
    await process.start()
    (refusal,) = await tell(process, events, RequestParameters(1, (0, 1)))
    assert refusal == ParametersRefused((0, 1), "the advisor has no more trials")
    # It owes two already: it is not asked for them again, only for the third.
    (refusal,) = await tell(process, events, RequestParameters(2, (2, 3)))
    assert refusal.parameter_ids == (2, 3)
    (refusal,) = await tell(process, events, RequestParameters(3, (4, 5, 6)))
    assert refusal.parameter_ids == (4, 5, 6)
    answers = await tell(process, events, final(4, None, 3))
    assert [answer[1] for answer in answers] == [{"x": 1}, {"x": 2}, {"x": 3}]
    assert [answer[0] for answer in answers] == [0, 1, 2]
    ((_, told),) = await tell(process, events, final(5, None, None))
    assert told["calls"] == [["space", ["any", "JSON"]], ["ask", 2], ["ask", 1]]


async def test_one_that_has_no_more_is_asked_for_one_when_a_trial_has_ended(make: Make) -> None:
    process, events = make(
        """
        class My(Base):
            def handle_request_trial_jobs(self, data):
                self.calls.append(["ask", data])
                for _ in range(data):
                    if self.count < 2:
                        self.new()
                    else:
                        self.send(CommandType.NoMoreTrialJobs, "")
            def handle_import_data(self, data):
                self.new(calls=self.calls)
        """
    )
    await process.start()
    assert len(await tell(process, events, RequestParameters(1, (0, 1)))) == 2
    await tell(process, events, TellTrialEnd(2, "t0", 0, TrialStatus.SUCCEEDED))
    for number, call in (
        (3, None),
        (4, final(5, 1, 1, "t1")),
        (6, TellTrialEnd(7, "t1", 1, TrialStatus.FAILED)),
    ):
        (refusal,) = await tell(process, events, RequestParameters(number, (number,)))
        assert refusal.parameter_ids == (number,)
        assert call is None or await tell(process, events, call) == []
    (refusal,) = await tell(process, events, RequestParameters(8, (8,)))
    assert refusal.parameter_ids == (8,)
    ((_, told),) = await tell(process, events, TellImportedTrials(9, ({"parameter": {}, "value": 1},)))
    assert [data for name, data in told["calls"] if name == "ask"] == [2, 1, 1]


async def test_a_trial_is_stopped_by_its_id(make: Make) -> None:
    process, events = make(
        """
        class My(Base):
            def handle_report_metric_data(self, data):
                self.send(CommandType.KillTrialJob, json.dumps(data["trial_job_id"]))
        """
    )
    await process.start()
    await tell(process, events, RequestParameters(1, (0,)))
    (verdict,) = await tell(process, events, TellIntermediateResult("t0", 0, 0, 1, 2))
    assert isinstance(verdict, TrialJudgedBad)
    assert (verdict.trial_id, verdict.message, verdict.algorithm) == ("t0", "My stopped it", "tuner")


async def test_any_thread_may_send_at_any_time(make: Make) -> None:
    process, events = make(
        """
        class My(Base):
            def handle_initialize(self, data):
                def send():
                    for _ in range(50):
                        self.new()
                super().handle_initialize(data)
                threads = [threading.Thread(target=send) for _ in range(4)]
                for thread in threads:
                    thread.start()
            def handle_request_trial_jobs(self, data):
                pass
        """
    )
    await process.start()
    process.tell(RequestParameters(1, tuple(range(200))))
    found = {}
    while len(found) < 200:
        event = await events.get()
        if isinstance(event, ParametersProposed):
            assert event.parameter_id not in found
            found[event.parameter_id] = event.parameters["x"]
    assert sorted(found) == list(range(200))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ('self.send(CommandType.NewTrialJob, "no JSON")', "ValueError: NewTrialJob needs JSON, not no JSON"),
        ('self.send(CommandType.NewTrialJob, "[1]")', 'ValueError: NewTrialJob needs {"parameter_id"'),
        ('self.send(CommandType.TrialEnd, "")', "ValueError: My sent CommandType.TrialEnd, which an advisor"),
        ("raise KeyError(3)", "My raised KeyError: 3"),
        ('self.report_error("Traceback\\n  here\\nBad: luck")', "My reports: Bad: luck"),
    ],
)
async def test_what_ends_the_experiment_is_shown(make: Make, code: str, message: str) -> None:
    process, events = make(
        f"""
        class My(Base):
            def handle_request_trial_jobs(self, data):
                {code}
        """
    )
    await process.start()
    process.tell(RequestParameters(1, (0,)))
    failure = await events.get()
    assert isinstance(failure, AlgorithmFailed) and message in failure.message
    assert "here" in failure.traceback if "report_error" in code else "handle_request" in failure.traceback


async def test_an_advisor_without_handlers_or_without_its_base_class_called(make: Make) -> None:
    process, events = make(
        """
        class My(MsgDispatcherBase):
            def __init__(self):
                pass
            def handle_initialize(self, data):
                pass
            def handle_request_trial_jobs(self, data):
                self.send(CommandType.NoMoreTrialJobs, "")
        """
    )
    await process.start()
    assert "did not send CommandType.Initialized" in log_of(process)
    assert await tell(process, events, RequestParameters(1, (0,)))
    assert await tell(process, events, TellImportedTrials(2, ({"parameter": {}, "value": 1},))) == []
    assert "My has no handle_import_data: 1 records are left out" in log_of(process)
    with pytest.raises(AlgorithmError, match="handle_update_search_space not implemented"):
        await process.change_search_space(3, {})


async def test_an_advisor_is_no_assessor(make: Make) -> None:
    process, _ = make(kind="assessor")
    with pytest.raises(AlgorithmError, match=r"mine\.My is an advisor, which is set as tuner or advisor"):
        await process.start()


async def test_the_next_life_does_everything_again(make: Make) -> None:
    process, events = make(
        """
        class My(Base):
            def handle_report_metric_data(self, data):
                super().handle_report_metric_data(data)
                if data["type"] == "PERIODICAL":
                    self.send(CommandType.KillTrialJob, json.dumps(data["trial_job_id"]))
        """
    )
    history = History(
        (
            RequestParameters(1, (0, 1)),
            proposed(0, {"x": 1}),
            proposed(1, {"x": 2}),
            TellIntermediateResult("t0", 0, 0, 7, 2),
            TellIntermediateResult("t1", 1, 0, 7, 3),
            TellTrialEnd(4, "t0", 0, TrialStatus.EARLY_STOPPED),
            RequestParameters(5, (2,)),
        ),
        open_calls=(RequestParameters(6, (3,)), final(7, 1, 8, "t1")),
        last_number=7,
    )
    assert await process.start(history) == Rebuilt(RebuildWay.REPLAYED)
    told = await until_processed(events, 7)
    # The verdict on the trial that runs may have been lost; what nobody recorded answers the open request.
    assert [event.trial_id for event in told if isinstance(event, TrialJudgedBad)] == ["t1"]
    assert [(e.parameter_id, e.parameters) for e in told if isinstance(e, ParametersProposed)] == [
        (3, {"x": 3})
    ]
    calls = await calls_of(process, events, 8)
    assert [call[0] for call in calls] == ["space", "ask", "metric", "metric", "end", "ask", "metric"]
    assert calls[-1][1]["parameter_id"] == "own_2"


async def test_requests_that_were_withdrawn_are_not_answered(make: Make) -> None:
    process, events = make(LATER)
    history = History((RequestParameters(1, (0, 1)), TellImportedTrials(2, ())), last_number=2)
    await process.start(history)
    await until_processed(events, 2)
    assert await tell(process, events, RequestParameters(3, (2, 3, 4))) == []
    assert await tell(process, events, final(4, None, 2)) == [(2, {"x": 1}), (3, {"x": 2})]
    ((parameter_id, told),) = await tell(process, events, final(5, None, None))
    assert parameter_id == 4
    assert told["calls"] == [["space", ["any", "JSON"]], ["ask", 2], ["ask", 1]]


async def test_where_a_replay_differs_a_fresh_one_imports(make: Make) -> None:
    process, events = make()
    history = History(
        (
            RequestParameters(1, (0, 1)),
            proposed(0, {"x": "other"}),
            proposed(1, {"x": 2}),
            final(2, 0, 0.5),
            TellTrialEnd(3, "t0", 0, TrialStatus.SUCCEEDED),
        ),
        last_number=3,
    )
    rebuilt = await process.start(history)
    assert rebuilt is not None and rebuilt.way is RebuildWay.IMPORTED
    for call in (
        TellIntermediateResult("t1", 1, 0, 7, 4),
        final(5, 1, 8, "t1"),
        TellTrialEnd(6, "t1", 1, TrialStatus.SUCCEEDED),
    ):
        await until_processed(events, 3) if call.number == 4 else None
        await tell(process, events, call)
    source = {"parameter_source": "algorithm"}
    assert await calls_of(process, events, 7) == [
        ["space", ["any", "JSON"]],
        [
            "add",
            [
                {**source, "parameter_id": 0, "parameters": {"x": "other"}},
                {**source, "parameter_id": 1, "parameters": {"x": 2}},
            ],
        ],
        ["import", [{"parameter": {"x": 1}, "value": 0.5}]],
        ["import", [{"parameter": {"x": 1}, "value": 8}]],
    ]


async def test_a_subclass_of_msg_dispatcher_runs_a_tuner(make: Make) -> None:
    process, events = make(
        """
        from nni.assessor import Assessor
        from nni.runtime.msg_dispatcher import MsgDispatcher

        class Mine(Tuner):
            told = []
            def update_search_space(self, search_space):
                pass
            def generate_parameters(self, parameter_id, **kwargs):
                return {"told": list(self.told)}
            def receive_trial_result(self, parameter_id, parameters, value, **kwargs):
                self.told.append([parameter_id, parameters, value])
            def trial_end(self, parameter_id, success, **kwargs):
                self.told.append([parameter_id, success])

        class Strict(Assessor):
            def assess_trial(self, trial_job_id, trial_history):
                return len(trial_history) < 2

        class My(MsgDispatcher):
            def __init__(self):
                super().__init__(None, Mine(), Strict())
        """
    )
    await process.start()
    assert await tell(process, events, RequestParameters(1, (5,))) == [(5, {"told": []})]
    assert await tell(process, events, TellIntermediateResult("t0", 5, 0, 1, 2)) == []
    (verdict,) = await tell(process, events, TellIntermediateResult("t0", 5, 1, 2, 3))
    assert verdict.trial_id == "t0"
    await tell(process, events, final(4, 5, 0.5))
    await tell(process, events, TellTrialEnd(5, "t0", 5, TrialStatus.EARLY_STOPPED))
    assert await tell(process, events, RequestParameters(6, (6,))) == [
        (6, {"told": [[0, {"told": []}, 0.5], [0, False]]})
    ]
