"""The median stopping rule, against the rule worked out anew, and its odd results."""

from __future__ import annotations

import math
import statistics
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nni.algorithms.hpo.medianstop_assessor import MedianstopAssessor
from nni_manager.algorithms.assessor import AssessResult

GOOD, BAD = AssessResult.Good, AssessResult.Bad


def succeed(assessor: MedianstopAssessor, name: str, history: list[Any]) -> None:
    for step in range(len(history)):
        assessor.assess_trial(name, history[: step + 1])
    assessor.trial_end(name, True)


_HISTORY = st.lists(st.integers(-5, 5).map(float), max_size=6)


@given(
    mode=st.sampled_from(["maximize", "minimize"]),
    start=st.integers(0, 4),
    done=st.lists(st.tuples(_HISTORY, st.booleans()), max_size=6),
    history=_HISTORY,
)
def test_the_verdict_is_that_of_the_paper(
    mode: str, start: int, done: list[tuple[list[float], bool]], history: list[float]
) -> None:
    assessor = MedianstopAssessor(mode, start)
    for number, (each, success) in enumerate(done):
        for step in range(len(each)):
            assessor.assess_trial(str(number), each[: step + 1])
        assessor.trial_end(str(number), success)
    for step in range(1, len(history) + 1):
        averages = [math.fsum(each[:step]) / step for each, ok in done if ok and len(each) >= step]
        is_bad = False
        if averages and step >= start:
            if mode == "maximize":
                is_bad = max(history[:step]) < statistics.median_low(averages)
            else:
                is_bad = min(history[:step]) > statistics.median_high(averages)
        assert assessor.assess_trial("new", history[:step]) is (BAD if is_bad else GOOD)


def test_a_history_may_be_told_at_once() -> None:
    one, other = MedianstopAssessor(), MedianstopAssessor()
    succeed(one, "a", [1.0, 2.0, 6.0])
    other.note_history("a", [1.0, 2.0, 6.0])
    other.trial_end("a", True)
    for assessor in (one, other):
        assert assessor.assess_trial("b", [2.0, 2.0, 2.9]) is BAD
        assert assessor.assess_trial("c", [2.0, 2.0, 3.0]) is GOOD


def test_only_succeeded_trials_are_compared_with() -> None:
    assessor = MedianstopAssessor()
    assessor.assess_trial("failed", [9.0])
    assessor.assess_trial("runs", [9.0])
    assessor.trial_end("failed", False)
    assessor.trial_end("failed", True)
    assessor.trial_end("never heard of", True)
    assert assessor.assess_trial("new", [0.0]) is GOOD
    assessor.trial_end("runs", True)
    assert assessor.assess_trial("new", [0.0]) is BAD


def test_steps_without_a_number_count_as_steps_alone(caplog: pytest.LogCaptureFixture) -> None:
    assessor = MedianstopAssessor()
    succeed(assessor, "a", [math.nan, {"default": 2.0}, "text", {"loss": 1}, None, 4])
    assert [record.getMessage() for record in caplog.records] == [
        "The result nan of trial a is ignored: no number."
    ]
    assert assessor.assess_trial("b", [0.0]) is GOOD  # The first step of a has no average.
    assert assessor.assess_trial("b", [0.0, math.nan]) is BAD
    assert assessor.assess_trial("c", [math.nan] * 6) is GOOD
    assert assessor.assess_trial("d", [0.0] * 5 + [2.5]) is BAD  # Below (2 + 4) / 2.
    assert assessor.assess_trial("e", [0.0] * 5 + [3]) is GOOD


@pytest.mark.parametrize("place", range(3))
def test_a_median_leaves_nan_out(place: int) -> None:
    """Row 70: of [nan, .1, .2] in any order, among trials and within one."""
    values = [0.1, 0.2]
    values.insert(place, math.nan)
    assessor = MedianstopAssessor()
    for number, value in enumerate(values):
        succeed(assessor, str(number), [value])
    assert assessor.assess_trial("worse", [0.09]) is BAD
    assert assessor.assess_trial("as good", [0.1]) is GOOD
    succeed(assessor, "within", values)  # its average is that of two
    assert assessor.assess_trial("longer", [0.09, 0.09, 0.149]) is BAD
    assert assessor.assess_trial("as long", [0.09, 0.09, 0.151]) is GOOD


@pytest.mark.parametrize("odd", [math.inf, -math.inf, 10**400, -(10**400), True])
def test_infinite_results_are_results(odd: Any) -> None:
    assessor = MedianstopAssessor()
    succeed(assessor, "a", [odd, 1.0, -math.inf, math.inf])
    succeed(assessor, "b", [0.5, odd, odd, odd])
    assert assessor.assess_trial("c", [-math.inf]) is (BAD if odd > 0 else GOOD)
    assert assessor.assess_trial("d", [math.inf] * 4) is GOOD


def test_another_attempt_of_a_trial_begins_anew() -> None:
    assessor = MedianstopAssessor()
    succeed(assessor, "a", [5.0, 5.0, 5.0])
    assert assessor.assess_trial("b", [9.0, 9.0]) is GOOD
    assert assessor.assess_trial("b", [1.0]) is BAD
    assert assessor.assess_trial("c", [9.0]) is GOOD
    assert assessor.assess_trial("c", [1.0, 2.0]) is BAD


def test_the_mode_is_checked() -> None:
    with pytest.raises(ValueError, match="best"):
        MedianstopAssessor("best")


def test_a_call_does_not_go_through_what_it_knows() -> None:
    """Work is counted, not timed: a result is looked at once, however many calls and trials there are."""
    looked_at = 0

    class Result(dict[str, float]):
        def get(self, *key: Any) -> Any:
            nonlocal looked_at
            looked_at += 1
            return super().get(*key)

    assessor = MedianstopAssessor()
    for trial in range(30):
        history: list[Any] = []
        for step in range(100):
            history.append(Result(default=float(step + trial)))
            assessor.assess_trial(str(trial), history)
        assessor.trial_end(str(trial), True)
    assert looked_at == 30 * 100
