"""An assessor's process as the manager sees it, and how an assessor is called."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni_manager.engine.effects import TellIntermediateResult, TellTrialEnd
from nni_manager.engine.events import AlgorithmFailed, TrialJudgedBad
from nni_manager.engine.statuses import TrialStatus
from nni_manager.tuning.algorithm_process import AlgorithmProcess
from nni_manager.tuning.assessor_dispatcher import AssessorDispatcher
from nni_manager.tuning.interface import AlgorithmSettings
from nni_manager.tuning.requests import request_of
from nni_proto.v1.algorithm_pb2 import AlgorithmResponse

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
    harness.process.tell(TellTrialEnd(0, "bad01", 0, TrialStatus.EARLY_STOPPED))
    harness.process.tell(TellTrialEnd(0, "none1", 0, TrialStatus.SUCCEEDED))
    harness.process.tell(TellTrialEnd(0, "good1", 0, TrialStatus.SUCCEEDED))
    harness.report("last1", 0, 0.1)
    first, second = [await harness.events.get() for _ in range(2)]
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


def dispatcher(assessor: Recording) -> tuple[AssessorDispatcher, list[AlgorithmResponse]]:
    sent: list[AlgorithmResponse] = []
    return AssessorDispatcher(assessor, sent.append), sent


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
    for index, value in [(0, 1), (0, 5), (1, 6)]:
        dispatch.handle(request_of(TellIntermediateResult("trial", 0, index, value)))
    assert assessor.histories == [[1], [5]]
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
