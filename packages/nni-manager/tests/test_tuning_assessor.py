"""An assessor's process as the manager sees it, and how an assessor is called."""

from __future__ import annotations

import asyncio
import logging
import math
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.algorithms.assessors.medianstop import MedianstopAssessor
from nni_manager.engine.effects import TellIntermediateResult, TellTrialEnd
from nni_manager.engine.events import AlgorithmFailed, TrialJudgedBad
from nni_manager.engine.statuses import TrialStatus
from nni_manager.tuning.algorithm_process import AlgorithmProcess
from nni_manager.tuning.assessor_dispatcher import AssessorDispatcher
from nni_manager.tuning.assessor_history import AssessorHistory
from nni_manager.tuning.interface import AlgorithmSettings
from nni_manager.tuning.requests import request_of
from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse, HistoryTaken

CODE = """
from nni.assessor import Assessor, AssessResult

class MyAssessor(Assessor):
    def __init__(self, limit):
        super().__init__()
        self.limit = limit
    def assess_trial(self, trial_job_id, trial_history):
        value = trial_history[-1]
        if isinstance(value, dict):
            value = value["default"]
        if value == "fail":
            raise ValueError("cannot judge this")
        return AssessResult.Bad if value < self.limit else AssessResult.Good
    def trial_end(self, trial_job_id, success):
        print("end of", trial_job_id, success, flush=True)
"""


class Harness:
    """An assessor's process and what it emitted."""

    def __init__(self, folder: Path) -> None:
        (folder / "code").mkdir()
        (folder / "code" / "mine.py").write_text(textwrap.dedent(CODE))
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.log = folder / "log" / "dispatcher.log"
        settings = AlgorithmSettings(
            kind="assessor",
            name=None,
            class_name="mine.MyAssessor",
            code_directory=str(folder / "code"),
            class_args={"limit": 0.5},
            search_space={},
            optimize_mode="maximize",
            log_directory=folder / "log",
            checkpoint_directory=folder / "checkpoint",
        )
        self.process = AlgorithmProcess(settings, self.events.put_nowait)

    def report(self, trial_id: str, index: int, value: Any) -> None:
        self.process.tell(TellIntermediateResult(trial_id, 0, index, value))


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    harness = Harness(tmp_path)
    await harness.process.start()
    yield harness
    await harness.process.close()


async def test_a_bad_trial_is_judged_once_and_nothing_else_is_told(harness: Harness) -> None:
    harness.report("good1", 0, 0.9)
    harness.report("bad01", 0, {"default": 0.8})
    harness.report("bad01", 1, {"default": 0.1})
    harness.report("bad01", 2, 0.05)
    first = await harness.events.get()
    harness.process.tell(TellTrialEnd(0, "bad01", 0, TrialStatus.EARLY_STOPPED))
    harness.process.tell(TellTrialEnd(0, "none1", 0, TrialStatus.SUCCEEDED))
    harness.process.tell(TellTrialEnd(0, "good1", 0, TrialStatus.SUCCEEDED))
    harness.report("last1", 0, 0.1)
    second = await harness.events.get()
    assert (type(first), first.trial_id) == (TrialJudgedBad, "bad01")
    assert first.message == "MyAssessor judged it bad after 2 intermediate results"
    assert second.trial_id == "last1"
    assert harness.log.read_text() == "end of bad01 False\nend of good1 True\n"


async def test_an_exception_ends_the_assessor(harness: Harness) -> None:
    harness.report("trial", 0, "fail")
    failure = await harness.events.get()
    assert isinstance(failure, AlgorithmFailed)
    assert failure.algorithm == "assessor"
    assert failure.message == "MyAssessor raised ValueError: cannot judge this"


class Recording:
    """An assessor that notes how it is called."""

    def __init__(self, verdict: Any = True) -> None:
        self.verdict = verdict
        self.histories: list[list[Any]] = []
        self.ends: list[tuple[str, bool]] = []

    def assess_trial(self, trial_job_id: str, trial_history: list[Any]) -> Any:
        self.histories.append(trial_history)
        return self.verdict

    def trial_end(self, trial_job_id: str, success: bool) -> None:
        self.ends.append((trial_job_id, success))


def dispatcher(
    assessor: Any, optimize_mode: str = "maximize"
) -> tuple[AssessorDispatcher, list[AlgorithmResponse]]:
    sent: list[AlgorithmResponse] = []
    return AssessorDispatcher(assessor, sent.append, optimize_mode), sent


def result(trial_id: str, index: int, value: Any) -> AlgorithmRequest:
    return request_of(TellIntermediateResult(trial_id, 0, index, value))


def end(trial_id: str, status: TrialStatus = TrialStatus.SUCCEEDED) -> AlgorithmRequest:
    return request_of(TellTrialEnd(0, trial_id, 0, status))


def better(dispatch: AssessorDispatcher) -> None:
    """Lets a trial be better than all others, which may then be stopped."""
    dispatch.handle(result("better", 0, 1000))


def take(dispatch: AssessorDispatcher, history: AssessorHistory, request: AlgorithmRequest) -> None:
    for call in history.note(request):
        dispatch.make(call, is_heeded=False)


def stopped(sent: list[AlgorithmResponse]) -> list[str]:
    return [response.stop_trial.trial_id for response in sent]


@given(order=st.permutations(range(8)), repeats=st.lists(st.integers(1, 7)))
def test_a_history_has_no_gaps_whatever_the_order(order: list[int], repeats: list[int]) -> None:
    assessor = Recording()
    dispatch, sent = dispatcher(assessor)
    for index in [*order, *repeats]:
        dispatch.handle(request_of(TellIntermediateResult("trial", 0, index, index * 10)))
    full = [index * 10 for index in range(8)]
    assert all(history == full[: len(history)] for history in assessor.histories)
    lengths = [len(history) for history in assessor.histories]
    assert lengths == sorted(set(lengths))
    assert lengths[-1] == 8
    assert sent == []


def test_the_first_result_again_begins_a_new_attempt() -> None:
    assessor = Recording(verdict=False)
    dispatch, sent = dispatcher(assessor)
    better(dispatch)
    for index, value in [(0, 1), (0, 5), (1, 6)]:
        dispatch.handle(request_of(TellIntermediateResult("trial", 0, index, value)))
    assert assessor.histories == [[1000], [1], [5]]
    assert assessor.ends == [("trial", False)]
    assert len(sent) == 2


def test_what_an_assessor_keeps_is_its_own() -> None:
    assessor = Recording()
    dispatch, _ = dispatcher(assessor)
    dispatch.handle(request_of(TellIntermediateResult("trial", 0, 0, 1)))
    assessor.histories[0].clear()
    dispatch.handle(request_of(TellIntermediateResult("trial", 0, 1, 2)))
    assert assessor.histories[1] == [1, 2]


def test_results_after_the_end_are_left_out() -> None:
    assessor = Recording()
    dispatch, _ = dispatcher(assessor)
    dispatch.handle(request_of(TellTrialEnd(0, "trial", 0, TrialStatus.SUCCEEDED)))
    dispatch.handle(request_of(TellIntermediateResult("trial", 0, 0, 1)))
    assert (assessor.histories, assessor.ends) == ([], [])


def test_only_a_bool_is_a_verdict() -> None:
    dispatch, _ = dispatcher(Recording(verdict=None))
    with pytest.raises(RuntimeError, match="assess_trial returned None"):
        dispatch.handle(request_of(TellIntermediateResult("trial", 0, 0, 1)))


@pytest.mark.parametrize(("mode", "sign"), [("maximize", 1), ("minimize", -1)])
def test_the_best_trial_is_never_stopped(mode: str, sign: int, caplog: pytest.LogCaptureFixture) -> None:
    """A2, whatever the assessor says: by the best value so far of each trial, ties included."""
    caplog.set_level(logging.INFO)
    dispatch, sent = dispatcher(Recording(verdict=False), mode)
    told = [("a", 0, 3), ("b", 0, 2), ("c", 0, {"default": 3}), ("a", 1, 0), ("c", 1, 1), ("b", 1, 4)]
    for trial_id, index, value in told:
        number = {"default": sign * value["default"]} if isinstance(value, dict) else sign * value
        dispatch.handle(result(trial_id, index, number))
    assert stopped(sent) == ["b"]
    # Now b, which is about to stop, is the better one at that step.
    dispatch.handle(result("a", 2, sign * 3))
    assert stopped(sent) == ["b", "a"]
    text = "judged trial a bad after 1 intermediate results, but it is the best so far and goes on."
    assert [record.getMessage() for record in caplog.records if "trial a" in record.getMessage()] == [
        f"Recording {text}"
    ]


def test_a_trial_is_compared_with_as_many_results_of_others() -> None:
    dispatch, sent = dispatcher(Recording(verdict=False))
    for index, value in enumerate([1, 2, 9]):
        dispatch.handle(result("ahead", index, value))
    for index, value in enumerate([1, 2, 8]):
        dispatch.handle(result("behind", index, value))
        assert stopped(sent) == (["behind"] if index == 2 else [])
    dispatch.handle(result("longer", 0, 0.5))
    dispatch.handle(result("longest", 0, 8))
    for index in range(1, 6):
        dispatch.handle(result("longest", index, 8))
    assert stopped(sent) == ["behind", "longer", "longest"]


@given(
    told=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 4).map(float) | st.just(math.nan)), max_size=30
    ),
    mode=st.sampled_from(["maximize", "minimize"]),
)
def test_who_is_stopped_is_worse_than_another(told: list[tuple[str, float]], mode: str) -> None:
    """A2 worked out anew: values by trial, compared over as many steps."""
    dispatch, sent = dispatcher(Recording(verdict=False), mode)
    values: dict[str, list[float]] = {}
    is_stopped: set[str] = set()

    def best(trial_id: str, count: int) -> float:
        numbers = [value for value in values[trial_id][:count] if not math.isnan(value)]
        return max((value if mode == "maximize" else -value for value in numbers), default=-math.inf)

    for trial_id, value in told:
        values.setdefault(trial_id, []).append(value)
        sent.clear()
        dispatch.handle(result(trial_id, len(values[trial_id]) - 1, value))
        if trial_id in is_stopped:
            assert sent == []
            continue
        count = len(values[trial_id])
        others = [best(other, count) for other in values if other != trial_id]
        own = best(trial_id, count)
        must_go_on = own > -math.inf and own >= max(others, default=-math.inf)
        assert stopped(sent) == ([] if must_go_on else [trial_id])
        is_stopped.update(stopped(sent))


def test_an_attempt_is_not_worse_for_the_one_before_it() -> None:
    dispatch, sent = dispatcher(Recording(verdict=False))
    dispatch.handle(result("other", 0, 1))
    dispatch.handle(result("retried", 0, 3))
    dispatch.handle(result("retried", 0, 2))
    assert sent == []
    dispatch.handle(result("other", 0, 1.5))
    assert stopped(sent) == ["other"]


def test_an_attempt_is_not_better_for_the_one_before_it() -> None:
    dispatch, sent = dispatcher(Recording(verdict=False))
    for trial_id, value in [("retried", 9), ("other", 5), ("retried", 3)]:
        dispatch.handle(result(trial_id, 0, value))
    assert stopped(sent) == ["other", "retried"]


def test_a_trial_that_is_the_best_by_now_is_not_stopped_for_what_it_was() -> None:
    dispatch, sent = dispatcher(Recording(verdict=False))
    better(dispatch)
    (call,) = dispatch.note(result("trial", 0, 1))
    dispatch.note(result("trial", 1, 2000))
    dispatch.make(call)
    assert sent == []


def test_results_without_numbers_protect_nobody() -> None:
    dispatch, sent = dispatcher(Recording(verdict=False))
    for trial_id, value in [("a", "text"), ("b", None), ("c", {"loss": 1}), ("d", math.nan), ("e", [1.0])]:
        dispatch.handle(result(trial_id, 0, value))
    assert stopped(sent) == ["a", "b", "c", "d", "e"]
    dispatch.handle(result("f", 0, -math.inf))
    assert len(sent) == 5


def test_a_verdict_on_an_attempt_that_is_over_is_not_heeded() -> None:
    assessor = Recording(verdict=False)
    dispatch, sent = dispatcher(assessor)
    better(dispatch)
    (call,) = dispatch.note(result("trial", 0, 1))
    calls = dispatch.note(result("trial", 0, 2))
    dispatch.make(call)
    assert sent == []
    for call in calls:
        dispatch.make(call)
    assert stopped(sent) == ["trial"]


def test_the_second_end_of_a_trial_and_that_of_an_unknown_one_are_nothing() -> None:
    assessor = Recording()
    dispatch, _ = dispatcher(assessor)
    dispatch.handle(result("trial", 0, 1))
    for trial_id in ("trial", "trial", "unknown"):
        dispatch.handle(end(trial_id))
    dispatch.handle(result("gap", 1, 1))
    dispatch.handle(end("gap"))
    assert assessor.ends == [("trial", True)]


def test_a_rebuilt_dispatcher_knows_who_is_the_best() -> None:
    for mode in ("maximize", "minimize"):
        dispatch, sent = dispatcher(Recording(verdict=False), mode)
        history = AssessorHistory(dispatch)
        for entry in [result("a", 0, 5), end("a"), result("b", 0, 1), result("b", 1, 2)]:
            take(dispatch, history, entry)
        assert history.end().history_taken.way == HistoryTaken.WAY_REPLAYED
        dispatch.forget_verdicts()
        assert sent == []
        dispatch.handle(result("b", 2, 3))
        assert stopped(sent) == (["b"] if mode == "maximize" else [])


def test_a_built_in_assessor_is_told_its_history_and_judges_none_of_it() -> None:
    dispatch, sent = dispatcher(MedianstopAssessor())
    assessor = dispatch._assessor
    judge, assessor.assess_trial = assessor.assess_trial, None  # type: ignore[method-assign]
    history = AssessorHistory(dispatch)
    for trial_id, values in {"a": [5, 5, 5], "b": [4, 4], "c": [1, 2]}.items():
        for index, value in enumerate(values):
            take(dispatch, history, result(trial_id, index, value))
    take(dispatch, history, end("a"))
    take(dispatch, history, end("b", TrialStatus.FAILED))
    assert history.end().history_taken.way == HistoryTaken.WAY_TOLD
    assessor.assess_trial = judge  # type: ignore[method-assign]
    dispatch.handle(result("c", 2, 4.5))
    assert stopped(sent) == ["c"]
