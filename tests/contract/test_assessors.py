"""What every built-in assessor keeps to, by hand and through its dispatcher, in any order of events."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nni_manager.algorithms.assessor import AssessResult
from nni_manager.algorithms.registry import built_in_algorithms
from nni_manager.engine.effects import TellIntermediateResult, TellTrialEnd
from nni_manager.engine.statuses import TrialStatus
from nni_manager.tuning.assessor_dispatcher import AssessorDispatcher
from nni_manager.tuning.assessor_history import AssessorHistory
from nni_manager.tuning.requests import request_of
from nni_proto.v1.algorithm_pb2 import AlgorithmRequest, AlgorithmResponse

BUILT_INS = {built_in.name: built_in for built_in in built_in_algorithms("assessor")}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Medianstop": {"start_step": 2},
    "Curvefitting": {"epoch_num": 8, "start_step": 5, "gap": 2},
}
TRIALS = ["a", "b", "c", "d"]

VALUES = st.one_of(
    st.integers(0, 10).map(float),
    st.floats(),
    st.integers(-(10**400), 10**400),
    st.booleans(),
    st.fixed_dictionaries({"default": st.floats(0, 1), "text": st.text(max_size=3)}),
    st.sampled_from(["no number", None, {}, {"default": "x"}, {"loss": 1.0}, [1.0], math.nan]),
)
EVENTS = st.lists(
    st.one_of(
        # Mostly in order; an index of one's own is late, doubled, ahead of a gap, or of another attempt.
        st.tuples(st.just("next"), st.sampled_from(TRIALS), VALUES),
        st.tuples(st.integers(0, 9), st.sampled_from(TRIALS), VALUES),
        st.tuples(st.sampled_from(list(TrialStatus)), st.sampled_from([*TRIALS, "unknown"]), st.none()),
    ),
    max_size=60,
)


def requests(events: list[tuple[Any, str, Any]]) -> list[AlgorithmRequest]:
    told, following = [], dict.fromkeys(TRIALS, 0)
    for what, trial_id, value in events:
        if isinstance(what, TrialStatus):
            told.append(request_of(TellTrialEnd(0, trial_id, 0, what)))
            continue
        index = following[trial_id] if what == "next" else what
        following[trial_id] = max(following[trial_id], index + 1)
        told.append(request_of(TellIntermediateResult(trial_id, 0, index, value)))
    return told


def make(name: str, mode: str) -> Any:
    return BUILT_INS[name].load()(optimize_mode=mode, **ARGUMENTS[name])


every = pytest.mark.parametrize("name", BUILT_INS)


def numbers(results: list[Any], mode: str) -> list[float]:
    found = [
        value["default"] if isinstance(value, dict) and "default" in value else value for value in results
    ]
    kept = [float(value) for value in found if isinstance(value, (int, float)) and not math.isnan(value)]
    return kept if mode == "maximize" else [-value for value in kept]


@every
@given(events=EVENTS, mode=st.sampled_from(["maximize", "minimize"]))
@settings(max_examples=60, deadline=None)
def test_no_order_of_events_is_an_error_and_none_is_stopped_that_is_best(
    name: str, events: list[tuple[Any, str, Any]], mode: str
) -> None:
    sent: list[AlgorithmResponse] = []
    dispatcher = AssessorDispatcher(make(name, mode), sent.append, mode)
    attempts: dict[int, Any] = {}
    for request in requests(events):
        dispatcher.handle(request)
        attempts |= {id(trial): trial for trial in dispatcher._trials.values()}
        for response in sent:
            trial = dispatcher._trials[response.stop_trial.trial_id]
            count, own = len(trial.results), numbers(trial.results, mode)
            others = [other for other in attempts.values() if other.trial_id != trial.trial_id]
            best = max(value for other in others for value in numbers(other.results[:count], mode))
            assert not own or max(own) < best
        sent.clear()


@every
@given(events=EVENTS, after=EVENTS, mode=st.sampled_from(["maximize", "minimize"]))
@settings(max_examples=40, deadline=None)
def test_one_made_anew_goes_on_as_the_one_before(
    name: str, events: list[tuple[Any, str, Any]], after: list[tuple[Any, str, Any]], mode: str
) -> None:
    told = requests([*events, *after])
    runs: list[list[str]] = []
    for is_rebuilt in (False, True):
        sent: list[AlgorithmResponse] = []
        dispatcher = AssessorDispatcher(make(name, mode), sent.append, mode)
        history = AssessorHistory(dispatcher) if is_rebuilt else None
        for request in told[: len(events)]:
            if history is not None:
                for call in history.note(request):
                    dispatcher.make(call, is_heeded=False)
            else:
                dispatcher.handle(request)
        dispatcher.forget_verdicts()
        assert not (is_rebuilt and sent)
        sent.clear()
        for request in told[len(events) :]:
            dispatcher.handle(request)
        runs.append([response.stop_trial.trial_id for response in sent])
    assert runs[0] == runs[1]


@every
@given(events=st.lists(st.tuples(st.sampled_from(["judge", "note", "end"]), st.sampled_from(TRIALS), VALUES)))
@settings(max_examples=60, deadline=None)
def test_by_hand_any_call_may_follow_any_other(name: str, events: list[tuple[str, str, Any]]) -> None:
    assessor = make(name, "maximize")
    histories: dict[str, list[Any]] = {}
    for what, trial_id, value in events:
        history = histories.setdefault(trial_id, [])
        if what == "end":
            assessor.trial_end(trial_id, value is True)
            continue
        history.append(value)
        if what == "note":
            assessor.note_history(trial_id, list(history))
        else:
            assert isinstance(assessor.assess_trial(trial_id, list(history)), AssessResult)


@every
def test_many_trials_of_many_steps_are_judged(name: str) -> None:
    """2,000 trials; what is kept of those that ended stays small."""
    sent: list[AlgorithmResponse] = []
    dispatcher = AssessorDispatcher(make(name, "minimize"), sent.append, "minimize")
    for number in range(2000):
        trial_id = f"t{number}"
        level = 1.0 + (number * 37 % 100) / 10
        stops = len(sent)
        for index in range(4 if number % 100 else 8):
            dispatcher.handle(
                request_of(TellIntermediateResult(trial_id, number, index, level / (index + 1)))
            )
        status = TrialStatus.EARLY_STOPPED if len(sent) > stops else TrialStatus.SUCCEEDED
        dispatcher.handle(request_of(TellTrialEnd(0, trial_id, number, status)))
        assert len(sent) - stops <= 1
    assert dispatcher._trials == {}
    stopped = {response.stop_trial.trial_id for response in sent}
    assert not {f"t{number}" for number in range(0, 2000, 100)} & stopped  # Those of the best level.
